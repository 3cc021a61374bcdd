using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the forward kernels, executed with the lists that the host makes, against float64. The last
/// kernel that a test logs is the one that failed.</summary>
public sealed class ForwardKernelTests(ITestOutputHelper log)
{
    public static TheoryData<string> Problems => [.. Sweeps.Forward];

    [Theory]
    [MemberData(nameof(Problems))]
    public void Output_and_log_sum_exp_agree_with_float64(string problems)
    {
        TestScale.SkipUnlessDrawn(2);
        var kernels = KernelCatalog.WithProblems(problems, KernelOperation.Forward);
        AttentionRuns.ForEach(kernels, AttentionProblems.Of(kernels[0]), log,
            (kernel, data, copies) =>
        {
            // parts differ before and after the loop, where nothing is copied
            foreach (int splits in copies == CopyTiming.Late ? (int[])[1, 3] : [1])
                AttentionRuns.Forward(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), splits, kernel.Rows,
                    kernel.Placement, data, copies);
        });
    }
}

/// <summary>The PTX of the backward kernels, and of those that prepare delta.</summary>
public sealed class BackwardKernelTests(ITestOutputHelper log)
{
    public static TheoryData<string> Problems => [.. Sweeps.Backward];

    [Theory]
    [MemberData(nameof(Problems))]
    public void Gradients_agree_with_float64(string problems)
    {
        TestScale.SkipUnlessDrawn(4);
        var kernels = KernelCatalog.WithProblems(problems, Sweeps.BackwardOperations);
        AttentionRuns.ForEach(kernels, AttentionProblems.Of(kernels[0]), log, (kernel, data, copies) =>
        {
            var lines = AttentionRuns.Delta(KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim), data, copies,
                data.Lists().OfKeys());
            AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data, lines, copies);
        });
    }
}

/// <summary>The PTX of the decoding kernels and of those that join their parts.</summary>
public sealed class DecodeKernelTests(ITestOutputHelper log)
{
    public static TheoryData<string> Problems => [.. Sweeps.Decode];

    [Theory]
    [MemberData(nameof(Problems))]
    public void Output_and_log_sum_exp_agree_with_float64(string problems)
    {
        var kernels = KernelCatalog.WithProblems(problems, KernelOperation.Decode);
        AttentionRuns.ForEach(kernels, AttentionProblems.OfDecode(kernels[0]), log, (kernel, data, copies) =>
        {
            foreach (int splits in new[] { 1, 3 })
                AttentionRuns.Decode(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), kernel.Heads, splits,
                    kernel.Placement, data, copies);
        });
    }
}

/// <summary>The PTX of the kernels that score sampled rows.</summary>
public sealed class SampleKernelTests(ITestOutputHelper log)
{
    public static TheoryData<string> Problems => [.. Sweeps.Sample];

    [Theory]
    [MemberData(nameof(Problems))]
    public void Log_sum_exps_of_pieces_agree_with_float64(string problems)
    {
        var kernels = KernelCatalog.WithProblems(problems, KernelOperation.Sample);
        AttentionRuns.ForEach(kernels, AttentionProblems.OfSample(kernels[0]), log,
            (kernel, data, copies) => SampleRuns.Run(kernel, data, copies));
    }
}

/// <summary>The PTX of the kernels that copy operands to tiles.</summary>
public sealed class PackKernelTests
{
    public static TheoryData<string> Kernels => [.. Sweeps.Pack];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Tiles_hold_the_rows_of_sequences_and_zeros(string name)
    {
        TestScale.SkipUnlessDrawn(2);
        var kernel = KernelCatalog.Named(name);
        foreach (int headDim in new[] { 64, 80, 96 })
            AttentionRuns.Pack(kernel.Kernel, AttentionProblems.OfPack(headDim, kernel.Type),
                name == PackVariants.NameOf(kernel.Type, isAligned: true));
    }
}
