using ILGPU;
using S2ILGPU.Compiler;

namespace S2ILGPU.Devices;

/// <summary>For programs that create their own ILGPU context.</summary>
public static class IlgpuContexts
{
    /// <summary>Teaches a context the device primitives of the tensor-core kernels: matrix products, asynchronous
    /// copies. Costs nothing for other kernels.</summary>
    /// <param name="builder">The builder of the context, with <c>EnableAlgorithms()</c> beside this.</param>
    /// <returns>The builder.</returns>
    /// <remarks>Nothing else is to be said: an <see cref="IlgpuEngine"/> sees by itself whether its context knows them,
    /// and tells in <see cref="IlgpuEngine.UsesTensorCores"/>.</remarks>
    public static Context.Builder WithTensorCores(this Context.Builder builder) => builder.TensorCores();
}
