using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Every operation of an engine but attention, for every element type that the engine says it takes.</summary>
internal static class OperationChecks
{
    private static readonly ElementType[] s_short = [ElementType.Float16, ElementType.BFloat16];

    /// <summary>All checks.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="isEmulated">Whether kernels are executed thread by thread.</param>
    public static IReadOnlyList<OperationCheck> Of(IEngine engine, bool isEmulated)
    {
        var floatType = engine.FloatType;
        ElementType[] activations = [floatType, .. s_short.Where(engine.SupportsActivations)],
            ofAttention = [floatType, .. s_short.Where(engine.SupportsAttention)];
        return
        [
            .. MemoryChecks.Of([floatType, .. s_short]),
            .. activations.SelectMany(ElementwiseChecks.Of),
            .. activations.SelectMany(type => RowChecks.Of(type, floatType)),
            .. activations.SelectMany(type => TokenChecks.Of(type, floatType)),
            .. TokenChecks.OfLosses(floatType),
            .. activations.SelectMany(type => MatMulChecks.Of(type, floatType)),
            .. engine is IlgpuEngine { UsesTensorCores: true } ilgpu ? MatMulChecks.OfTf32(ilgpu) : [],
            .. engine is IlgpuEngine device ? MatMulChecks.OfVariants(device, isEmulated) : [],
            .. s_short.Except(activations).SelectMany(type => MatMulChecks.OfShortWeights(type, floatType)),
            .. ofAttention.SelectMany(MergeChecks.Of),
            .. engine is IAttentionSampler ? ofAttention.SelectMany(type => SampleChecks.Of(type, isEmulated)) : [],
            .. OptimizerChecks.Of(floatType),
        ];
    }
}
