using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the forward kernels, executed with the lists that the host makes, against float64.</summary>
public sealed class ForwardKernelTests
{
    public static TheoryData<string, CopyTiming> Kernels => KernelTheory.Of(KernelCatalog.Forward);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Output_and_log_sum_exp_agree_with_float64(string name, CopyTiming copies)
    {
        var kernel = KernelCatalog.Forward.Single(k => k.Name == name);
        foreach (var data in AttentionProblems.Of(kernel))
            AttentionRuns.Forward(kernel.Kernel, kernel.RowsPerTile, kernel.Placement, data, copies);
    }
}

/// <summary>The PTX of the backward kernels.</summary>
public sealed class BackwardKernelTests
{
    public static TheoryData<string, CopyTiming> Kernels => KernelTheory.Of(KernelCatalog.Backward);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Gradients_agree_with_float64(string name, CopyTiming copies)
    {
        var kernel = KernelCatalog.Backward.Single(k => k.Name == name);
        foreach (var data in AttentionProblems.Of(kernel))
        {
            var lines = AttentionRuns.Delta(KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim), data, copies, data.Lists().OfKeys());
            AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data, lines, copies);
        }
    }
}

/// <summary>The PTX of the decoding kernels and of the one that joins their parts.</summary>
public sealed class DecodeKernelTests
{
    public static TheoryData<string, CopyTiming> Kernels => KernelTheory.Of(KernelCatalog.Decode);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Output_and_log_sum_exp_agree_with_float64(string name, CopyTiming copies)
    {
        var kernel = KernelCatalog.Decode.Single(k => k.Name == name);
        foreach (var data in AttentionProblems.OfDecode(kernel))
            foreach (int splits in new[] { 1, 3 })
                AttentionRuns.Decode(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), kernel.Heads, splits, kernel.Placement, data, copies);
    }
}

/// <summary>Theory data over kernels.</summary>
internal static class KernelTheory
{
    /// <summary>Every kernel, with copies that arrive late and early.</summary>
    public static TheoryData<string, CopyTiming> Of(IReadOnlyList<TestedKernel> kernels)
    {
        var data = new TheoryData<string, CopyTiming>();
        foreach (var kernel in kernels)
        {
            data.Add(kernel.Name, CopyTiming.Late);
            data.Add(kernel.Name, CopyTiming.Early);
        }
        return data;
    }
}
