using S2ILGPU.Launch;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the forward kernels, executed with the lists that the host makes, against float64.</summary>
public sealed class ForwardKernelTests
{
    public static TheoryData<string> Kernels => [.. KernelCatalog.Names(KernelOperation.Forward)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Output_and_log_sum_exp_agree_with_float64(string name)
    {
        var kernel = KernelCatalog.Named(name);
        foreach (var data in AttentionProblems.Of(kernel))
            foreach (var copies in Enum.GetValues<CopyTiming>())
                AttentionRuns.Forward(kernel.Kernel, kernel.Rows, kernel.Placement, data, copies);
    }
}

/// <summary>The PTX of the backward kernels, and of those that prepare delta.</summary>
public sealed class BackwardKernelTests
{
    public static TheoryData<string> Kernels =>
        [.. KernelCatalog.Names(KernelOperation.KeyValueGradient, KernelOperation.KeyGradient, KernelOperation.ValueGradient, KernelOperation.QueryGradient)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Gradients_agree_with_float64(string name)
    {
        var kernel = KernelCatalog.Named(name);
        foreach (var data in AttentionProblems.Of(kernel))
            foreach (var copies in Enum.GetValues<CopyTiming>())
            {
                var lines = AttentionRuns.Delta(KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim), data, copies, data.Lists().OfKeys());
                AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data, lines, copies);
            }
    }
}

/// <summary>The PTX of the decoding kernels and of those that join their parts.</summary>
public sealed class DecodeKernelTests
{
    public static TheoryData<string> Kernels => [.. KernelCatalog.Names(KernelOperation.Decode)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Output_and_log_sum_exp_agree_with_float64(string name)
    {
        var kernel = KernelCatalog.Named(name);
        foreach (var data in AttentionProblems.OfDecode(kernel))
            foreach (var copies in Enum.GetValues<CopyTiming>())
                foreach (int splits in new[] { 1, 3 })
                    AttentionRuns.Decode(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), kernel.Heads, splits, kernel.Placement, data, copies);
    }
}

/// <summary>The PTX of the kernels that copy operands to tiles.</summary>
public sealed class PackKernelTests
{
    public static TheoryData<string> Kernels => [.. KernelCatalog.Names(KernelOperation.Pack)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Tiles_hold_the_rows_of_sequences_and_zeros(string name)
    {
        var kernel = KernelCatalog.Named(name);
        var stored = name.EndsWith("fp32", StringComparison.Ordinal) ? ElementType.Float32 : name.EndsWith("from-bf16", StringComparison.Ordinal) ? ElementType.BFloat16
            : name.EndsWith("from-fp16", StringComparison.Ordinal) ? ElementType.Float16 : kernel.Type;
        foreach (int headDim in new[] { 64, 96 })
            AttentionRuns.Pack(kernel.Kernel, AttentionProblems.OfPack(headDim, kernel.Type), stored);
    }
}
