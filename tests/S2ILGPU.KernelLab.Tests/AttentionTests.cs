using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.KernelLab.Tests.Kernels;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>A tensor-core kernel: right and clean as it is, and each of its barriers and waits is missed when it is left out.</summary>
public sealed class AttentionTests : LabFixture
{
    private const int Tokens = 128;
    private const int Dim = 64;

    [Theory, MemberData(nameof(Orders))]
    public void One_stage_is_clean(Schedule order) => Assert.Empty(Run<OneStage>(order));

    [Theory, MemberData(nameof(Orders))]
    public void Two_stages_are_clean(Schedule order) => Assert.Empty(Run<TwoStages>(order));

    [Fact]
    public void Concurrent_threads_compute_the_same() => Assert.Empty(Run<OneStage>(Schedule.Ascending, ExecutionMode.Concurrent));

    [Theory, MemberData(nameof(Orders))]
    public void A_missing_wait_is_found(Schedule order)
    {
        Assert.Contains(Run<NoFirstWait>(order, isRight: false), f => f.Kind == FindingKind.MissingWait);
        Assert.Contains(Run<NoSecondWait>(order, isRight: false), f => f.Kind == FindingKind.MissingWait);
        Assert.Contains(Run<TwoStagesNoWait>(order, isRight: false), f => f.Kind == FindingKind.MissingWait);
    }

    /// <summary>Also where the order hides it and the numbers are right.</summary>
    [Theory, MemberData(nameof(Orders))]
    public void A_missing_barrier_is_found(Schedule order)
    {
        Assert.Contains(Run<NoFirstBarrier>(order, isRight: false), f => f.Kind == FindingKind.Race);
        Assert.Contains(Run<NoSecondBarrier>(order, isRight: false), f => f.Kind == FindingKind.Race);
        Assert.Contains(Run<TwoStagesNoBarrier>(order, isRight: false), f => f.Kind == FindingKind.Race);
    }

    [Fact]
    public void A_missing_last_wait_is_found() => Assert.All(Run<NoLastWait>(Schedule.Ascending), f => Assert.Equal(FindingKind.UnwaitedCopy, f.Kind));

    /// <summary>Reports name the line of the kernel, not of the primitive that it called.</summary>
    [Fact]
    public void Reports_name_the_kernels_line() =>
        Assert.All(Run<NoSecondWait>(Schedule.Ascending, isRight: false), f => Assert.Contains("AttentionKernel.cs:", f.Message));

    private IReadOnlyList<Finding> Run<TMutation>(Schedule order, ExecutionMode mode = ExecutionMode.OneAtATime, bool isRight = true)
        where TMutation : struct, IMutation
    {
        ushort[] q = BFloat16(1), k = BFloat16(2), v = BFloat16(3);
        using var qs = Device.Allocate1D(q);
        using var ks = Device.Allocate1D(k);
        using var vs = Device.Allocate1D(v);
        using var os = Device.Allocate1D<uint>(q.Length / 2);
        var kernel = Device.LoadStreamKernel<AttentionKernel>(AttentionKernel.Run<TMutation>);
        var shared = TMutation.Stages == 2 ? SharedMemoryConfig.RequestDynamic<U4>(4 * 64 * 128 / 16) : default;
        using LabSession session = new(order) { Mode = mode };
        AttentionKernel arguments = new(qs.View.BaseView.Cast<U4>(), ks.View.BaseView.Cast<U4>(), vs.View.BaseView.Cast<U4>(), os.View);
        kernel((Tokens / AttentionKernel.Block, AttentionKernel.Threads, shared), arguments);
        if (isRight)
            Assert.InRange(MaximumError(q, k, v, os.GetAsArray1D()), 0, 0.01);
        return session.Findings;
    }

    private static ushort[] BFloat16(int seed) => [.. Floats(Tokens * Dim, seed).Select(x => TensorOps.ToBFloat16(2 * x))];

    private static double MaximumError(ushort[] q, ushort[] k, ushort[] v, uint[] o)
    {
        double worst = 0;
        for (int i = 0; i < Tokens; i++)
        {
            var weights = Enumerable.Range(0, i + 1).Select(j => Math.Exp(Enumerable.Range(0, Dim).Sum(x => Value(q, i, x) * Value(k, j, x)) / 8)).ToArray();
            double sum = weights.Sum();
            for (int x = 0; x < Dim; x++)
            {
                double expected = weights.Select((w, j) => w * Value(v, j, x)).Sum() / sum;
                uint pair = o[(i * Dim + x) / 2];
                double error = Math.Abs(expected - (x % 2 == 0 ? TensorOps.Low(pair) : TensorOps.High(pair)));
                worst = double.IsNaN(error) ? double.NaN : Math.Max(worst, error);
            }
        }
        return worst;
    }

    private static double Value(ushort[] matrix, int row, int column) => TensorOps.Low(matrix[row * Dim + column]);
}
