using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.KernelLab.Tests.Kernels;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>What must be found, what must not, and what only the comparison of schedules finds.</summary>
public sealed class EdgeTests : LabFixture
{
    private const int Threads = 128;

    [Theory, MemberData(nameof(Orders))]
    public void Clean(Schedule order)
    {
        Assert.Equal(8, Run(order, null, EdgeKernels.WarpSynchronised)[6]);
        Assert.Equal(384, Run(order, null, EdgeKernels.GroupsAdd, groups: 3)[0]);
        Assert.Equal(0x08070605, Run(order, null, EdgeKernels.BytesOfWords)[1]);
        Assert.Equal(3, Run(order, null, EdgeKernels.HelperCalledTwice)[9]);
        var half = Run(order, null, EdgeKernels.HalfWarp, threads: 48);
        Assert.Equal((1 + 116, 31 + 116, 47 + 116), (half[0], half[31], half[47]));
        var segments = Run(order, null, EdgeKernels.Segments, threads: 32);
        Assert.Equal((7 + 3000 + 6000000, 10 + 13000 + 10000000), (segments[7], segments[9]));
        Run(order, null, EdgeKernels.DynamicElementPerThread, dynamic: Threads);
    }

    [Theory, MemberData(nameof(Orders))]
    public void Races(Schedule order)
    {
        Run(order, "race", EdgeKernels.WarpUnsynchronised);
        Run(order, "race", EdgeKernels.ShuffleTakenForAFence);
        Run(order, "race", EdgeKernels.FenceTakenForABarrier);
        Run(order, "race", EdgeKernels.WarpBarrierAcrossWarps);
        Run(order, "another group's thread 0", EdgeKernels.GroupsCollide, groups: 3);
        Run(order, "race", EdgeKernels.AtomicAndPlain);
        Run(order, "race", EdgeKernels.ReferenceOutlivesBarrier);
    }

    /// <summary>Not a fault on a device, but not worth telling apart: equal values look like reads, so only the first write and a later one are seen.</summary>
    [Fact]
    public void Writing_the_same_value_is_a_race() => Run(Schedule.Ascending, "race", EdgeKernels.EverybodyWritesOne);

    [Theory, MemberData(nameof(Orders))]
    public void Divergent_barriers(Schedule order)
    {
        Run(order, "100 threads (0..99) at group barrier EdgeKernels.cs:", EdgeKernels.EarlyReturn);
        Run(order, "divergent", EdgeKernels.HalfOfAWarpMeets);
        Run(order, "divergent shared memory", EdgeKernels.DivergentAllocation);
    }

    [Fact]
    public void Bounds()
    {
        Run(Schedule.Ascending, "out of bounds: index 100 of Int32[100] in dynamic shared memory", EdgeKernels.DynamicElementPerThread, dynamic: 100);
        Run(Schedule.Ascending, "GetDynamic without", EdgeKernels.DynamicElementPerThread);
        Run(Schedule.Ascending, "out of bounds: index 4 of Int32[4] in local memory", EdgeKernels.LocalTooFar);
        Run(Schedule.Ascending, "65536 bytes of static shared memory, at most 49152", EdgeKernels.TooMuchShared);
        Run(Schedule.Ascending, "a raw write missed Int32[128]", EdgeKernels.WritesPastTheEndByPointer);
    }

    /// <summary>An addition writes what it read, so tracking takes it for a write; two poison values differ.</summary>
    [Fact]
    public void Adding_to_uninitialised_memory_is_found_by_comparing()
    {
        Run(Schedule.Ascending, null, EdgeKernels.AddToUninitialised);
        using var d = Device.Allocate1D(new int[Threads]);
        var kernel = Device.LoadStreamKernel<ArrayView<int>>(EdgeKernels.AddToUninitialised);
        using LabSession session = new();
        Lab.CompareSchedules(Device, () => kernel((1, Threads), d.View), Schedule.Ascending, new Schedule(Poison: Schedule.OtherPoison));
        Assert.Contains(session.Findings, f => f.Kind == FindingKind.Uninitialised && f.Message.Contains("poison"));
    }

    /// <summary>The order of float additions is free on a device, too.</summary>
    [Fact]
    public void Float_atomics_differ_between_orders_without_being_wrong()
    {
        using var x = Device.Allocate1D(Floats(512, 1));
        using var sum = Device.Allocate1D(new float[1]);
        var kernel = Device.LoadStreamKernel<ArrayView<float>, ArrayView<float>>(EdgeKernels.WarpSum);
        using LabSession session = new();
        kernel((4, Threads), x.View, sum.View);
        Assert.Equal(x.GetAsArray1D().Sum(v => (double)v), sum.GetAsArray1D()[0], 1e-4);
        Assert.Empty(session.Findings);
        Lab.CompareSchedules(Device, () => kernel((4, Threads), x.View, sum.View), Schedule.Ascending, Schedule.Descending);
        Assert.Contains(session.Findings, f => f.Message.Contains("disagree"));
    }

    [Fact]
    public void Global_memory_is_uninitialised_until_written()
    {
        using var x = Device.Allocate1D<float>(512);
        using var sum = Device.Allocate1D(new float[1]);
        var kernel = Device.LoadStreamKernel<ArrayView<float>, ArrayView<float>>(EdgeKernels.WarpSum);
        using LabSession session = new();
        kernel((1, Threads), x.View, sum.View);
        Assert.Contains(session.Findings, f => f.Kind == FindingKind.Uninitialised && f.Message.Contains("element 0 of Single[512] of EdgeTests.cs"));
        using var y = Device.Allocate1D<float>(512);
        y.View.SubView(0, Threads).CopyFromCPU(new float[Threads]);
        using var copy = Device.Allocate1D<float>(512);
        y.View.CopyTo(copy.View);
        session.Clear();
        kernel((1, Threads), copy.View, sum.View);
        Assert.Empty(session.Findings);
        kernel((2, Threads), copy.View, sum.View);
        Assert.Contains(session.Findings, f => f.Message.Contains("element 128 of"));
    }

    private int[] Run(Schedule order, string? expected, Action<ArrayView<int>> kernel, int groups = 1, int threads = Threads, int dynamic = 0)
    {
        using var d = Device.Allocate1D(new int[Threads]);
        var launcher = Device.LoadStreamKernel(kernel);
        var shared = dynamic > 0 ? SharedMemoryConfig.RequestDynamic<int>(dynamic) : default;
        using LabSession session = new(order);
        var messages = Messages(session, () => launcher((groups, threads, shared), d.View));
        if (expected is null)
            Assert.Empty(messages);
        else
            Assert.Contains(messages, message => message.Contains(expected));
        return d.GetAsArray1D();
    }
}
