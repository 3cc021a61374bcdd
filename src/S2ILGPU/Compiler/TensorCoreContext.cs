using System.Reflection;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using S2ILGPU.Tiles;

namespace S2ILGPU.Compiler;

/// <summary>Teaches ILGPU the device primitives of this library.</summary>
internal static class TensorCoreContext
{
    private const string Property = "S2ILGPU.TensorCores";

    /// <summary>Registers the PTX of all <see cref="Intrinsics"/>, and leaves a note of it; every context that compiles
    /// tensor-core kernels needs it once, twice does no harm.</summary>
    public static Context.Builder TensorCores(this Context.Builder builder)
    {
        if (builder.GetExtensionProperty(Property, false))
            return builder;
        builder.SetExtensionProperty(Property, true);
        var manager = builder.GetIntrinsicManager();
        foreach (var method in typeof(Intrinsics).GetMethods(BindingFlags.Public | BindingFlags.Static))
        {
            if (method.IsDefined(typeof(IntrinsicImplementationAttribute)))
                manager.RegisterMethod(method,
                    new PTXIntrinsic(typeof(PtxInstructions), method.Name, IntrinsicImplementationMode.GenerateCode));
        }
        return builder;
    }

    /// <summary>Whether the builder of a context was given <see cref="TensorCores"/>.</summary>
    public static bool KnowsTensorCores(this Context context) =>
        context.Properties.GetExtensionProperty(Property, false);
}
