using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.KernelLab.Tests.Kernels;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>Two everyday kernels, correct and with one fault of each kind, under several thread orders.</summary>
public sealed class FaultTests : LabFixture
{
    [Theory, MemberData(nameof(Orders))]
    public void Correct(Schedule order)
    {
        Sum<Correct>(order, null);
        MatMul<Correct>(order, null);
    }

    [Theory, MemberData(nameof(Orders))]
    public void Out_of_bounds(Schedule order)
    {
        Sum<BoundsFault>(order, "out of bounds: index 500 of Single[500] in Single[500] data at SumKernel.cs:");
        MatMul<BoundsFault>(order, "of Single[256] in shared Single[256] of MatMulKernel.cs:");
    }

    [Theory, MemberData(nameof(Orders))]
    public void Uninitialised(Schedule order)
    {
        Sum<UninitialisedFault>(order, "uninitialised read");
        MatMul<UninitialisedFault>(order, "uninitialised read");
    }

    [Theory, MemberData(nameof(Orders))]
    public void Divergent_barrier(Schedule order)
    {
        Sum<DivergentFault>(order, "divergent barrier");
        MatMul<DivergentFault>(order, "divergent barrier");
    }

    [Theory, MemberData(nameof(Orders))]
    public void Race(Schedule order)
    {
        Sum<RaceFault>(order, "race: element");
        MatMul<RaceFault>(order, "race: element");
    }

    /// <summary>With tracking off, the comparison of thread orders and poisons finds all four as well.</summary>
    [Fact]
    public void Comparing_schedules_finds_them_too()
    {
        Sum<Correct>(null, null);
        Sum<BoundsFault>(null, "out of bounds");
        Sum<UninitialisedFault>(null, "two poison values disagree");
        Sum<DivergentFault>(null, "divergent barrier");
        Sum<RaceFault>(null, "order disagree");
        MatMul<Correct>(null, null);
        MatMul<BoundsFault>(null, "out of bounds");
        MatMul<UninitialisedFault>(null, "two poison values disagree");
        MatMul<DivergentFault>(null, "divergent barrier");
        MatMul<RaceFault>(null, "order disagree");
    }

    private void Sum<TFault>(Schedule? order, string? expected)
        where TFault : struct, IFault
    {
        const int count = 500;
        var data = Floats(count, 1);
        using var x = Device.Allocate1D(data);
        using var sums = Device.Allocate1D<float>(4);
        var kernel = Device.LoadStreamKernel<SumKernel>(SumKernel.Run<TFault>);
        Judge(order, expected, () => kernel((4, SumKernel.Threads), new SumKernel(x.View, sums.View, count)));
        if (expected is not null)
            return;
        var actual = sums.GetAsArray1D();
        for (int g = 0; g < 4; g++)
            Assert.Equal(data.Skip(g * 128).Take(128).Sum(v => (double)v), actual[g], 1e-5);
    }

    private void MatMul<TFault>(Schedule? order, string? expected)
        where TFault : struct, IFault
    {
        const int n = 48;
        float[] p = Floats(n * n, 2), q = Floats(n * n, 3);
        using var a = Device.Allocate1D(p);
        using var b = Device.Allocate1D(q);
        using var c = Device.Allocate1D<float>(n * n);
        var kernel = Device.LoadStreamKernel<MatMulKernel>(MatMulKernel.Run<TFault>);
        Judge(order, expected, () => kernel((new Index2D(3, 3), new Index2D(16, 16)), new MatMulKernel(a.View, b.View, c.View, n)));
        if (expected is not null)
            return;
        var actual = c.GetAsArray1D();
        for (int i = 0; i < n * n; i++)
            Assert.Equal(Enumerable.Range(0, n).Sum(k => (double)p[i / n * n + k] * q[k * n + i % n]), actual[i], 1e-5);
    }

    private void Judge(Schedule? order, string? expected, Action launch)
    {
        using LabSession session = new(order) { TrackAccesses = order is not null };
        Action run = order is not null
            ? launch
            : () => Lab.CompareSchedules(Device, launch, Schedule.Ascending, Schedule.Descending, Schedule.Random(7), new Schedule(Poison: Schedule.OtherPoison));
        var messages = Messages(session, run);
        if (expected is null)
        {
            Assert.Empty(messages);
            return;
        }
        Assert.NotEmpty(messages);
        Assert.All(messages, message => Assert.Contains(expected, message));
    }
}
