using ILGPU.Backends;
using ILGPU.IR;
using ILGPU.IR.Transformations;

namespace S2ILGPU.Compiler;

/// <summary>Unrolls loops with constant bounds, so that arrays of <c>LocalMemory</c> become registers. Passed to a
/// backend's <c>Compile</c>.</summary>
/// <remarks>ILGPU 1.5.3 contains the pass but does not run it: it is unstable with nested loops that break or continue,
/// which kernels here therefore avoid.</remarks>
internal readonly struct UnrollLoops : IBackendHook
{
    private const int MaxTurns = 256;

    /// <inheritdoc/>
    public void InitializedKernelContext(IRContext kernelContext, Method kernelMethod)
    {
        var builder = Transformer.CreateBuilder(TransformerConfiguration.Empty);
        builder.Add(new Inliner());
        builder.Add(new SimplifyControlFlow());
        builder.Add(new SSAConstruction());
        builder.Add(new DeadCodeElimination());
        builder.Add(new LoopUnrolling(MaxTurns));
        builder.Add(new UnreachableCodeElimination());
        builder.Add(new DeadCodeElimination());
        builder.Add(new SimplifyControlFlow());
        kernelContext.Transform(builder.ToTransformer());
    }

    /// <inheritdoc/>
    public void OptimizedKernelContext(IRContext kernelContext, Method kernelMethod)
    {
    }

    /// <inheritdoc/>
    public void FinishedCodeGeneration(IRContext kernelContext, Method entryPoint)
    {
    }
}
