using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Cli.Verify;

/// <summary>A kernel of the registry with the cases that it is checked on.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Cases">Problems that it fits.</param>
/// <param name="IsOnRequest">Whether it is checked only when it is asked for by name.</param>
internal sealed record RegistryVariant(KernelVariant Kernel, IReadOnlyList<CheckCase> Cases, bool IsOnRequest)
{
    private const int PortableHeadDim = 40, AnyHeadDim = 64;

    /// <summary>The kernel as an engine runs it.</summary>
    public EngineVariant On(IlgpuEngine engine) =>
        new(Kernel.Name, Pass, Kernel.ElementType, Kernel.ElementType, [HeadDim], engine)
    {
        Force = () => engine.AttentionKernels.Force(Kernel),
        IsUsed = () => engine.AttentionKernels.Last(Kernel.Operation) == Kernel,
        Cases = Cases,
        IsOnRequest = IsOnRequest,
    };

    private int HeadDim =>
        Kernel.HeadDim > 0 ? Kernel.HeadDim : Kernel.ElementType == ElementType.Float32 ? PortableHeadDim : AnyHeadDim;

    // Kernels that prepare or finish the work of others are judged by the result of the whole call.
    private CheckedPass Pass => Kernel.Operation switch
    {
        KernelOperation.Forward or KernelOperation.Pack => CheckedPass.Forward,
        KernelOperation.Decode or KernelOperation.Merge => CheckedPass.Decode,
        KernelOperation.Delta => CheckedPass.Backward,
        KernelOperation.QueryGradient => CheckedPass.QueryGradient,
        _ => CheckedPass.KeyValueGradients,
    };
}

/// <summary>The registry of an engine, as a self-check sees it.</summary>
internal static class RegistryVariants
{
    /// <summary>All kernels that calls of the engine can launch on its device, but those that score sampled rows: they
    /// are checked as the operation SampleRows.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="isEmulated">Whether it executes thread by thread: one small case each then, and most kernels only
    /// on request.</param>
    public static IReadOnlyList<RegistryVariant> Of(IlgpuEngine engine, bool isEmulated)
    {
        var counts = new Dictionary<object, int>();
        var families = new HashSet<object>();
        var cases = new VariantCases(isEmulated);
        var variants = new List<RegistryVariant>();
        foreach (var kernel in engine.AttentionKernels.Variants)
        {
            if (kernel.Operation == KernelOperation.Sample)
                continue;
            // Counted where kinds of cases take turns, so that each kind meets each of these.
            var turn = (kernel.Operation, kernel.BlockColumns, kernel.IsPaged);
            int index = counts[turn] = counts.GetValueOrDefault(turn, -1) + 1;
            bool isFirst = families.Add((kernel.Operation, kernel.ElementType, kernel.IsPaged,
                kernel.Operation is KernelOperation.Pack ? kernel.Name : ""));
            variants.Add(new RegistryVariant(kernel, cases.For(kernel, index), isEmulated && !isFirst));
        }
        return variants;
    }
}
