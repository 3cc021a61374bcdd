using System.Reflection;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using S2ILGPU.Tiles;

namespace S2ILGPU.Ilgpu;

/// <summary>Teaches ILGPU the device primitives of this library.</summary>
internal static class TensorCoreContext
{
    /// <summary>Registers the PTX of all <see cref="Intrinsics"/>; every context that compiles tensor-core kernels needs it once.</summary>
    public static Context.Builder TensorCores(this Context.Builder builder)
    {
        var manager = builder.GetIntrinsicManager();
        foreach (var method in typeof(Intrinsics).GetMethods(BindingFlags.Public | BindingFlags.Static))
        {
            if (method.IsDefined(typeof(IntrinsicImplementationAttribute)))
                manager.RegisterMethod(method, new PTXIntrinsic(typeof(PtxInstructions), method.Name, IntrinsicImplementationMode.GenerateCode));
        }
        return builder;
    }
}
