using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace S2ILGPU.Compiler;

/// <summary>All that the text of a compiled kernel depends on.</summary>
/// <remarks>Two things are not in it: intrinsics that a program registers in its own context for methods that kernels
/// of this library call, and values of static fields, which kernels here do not read.</remarks>
/// <param name="Text">One line.</param>
/// <param name="Extension">Of the file: <c>ptx</c> or <c>cl</c>.</param>
internal readonly record struct KernelKey(string Text, string Extension)
{
    /// <summary>A name for the file that is different for every key.</summary>
    public string FileName =>
        $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)).AsSpan(0, 20))}.{Extension}";

    /// <summary>The key of a kernel on a device; null for devices whose kernels have no text.</summary>
    public static KernelKey? Of(Accelerator accelerator, in KernelRequest kernel) => accelerator switch
    {
        CudaAccelerator cuda => Ptx(cuda.Context, kernel, cuda.Architecture, cuda.InstructionSet),
        CLAccelerator openCl => OpenCl(openCl, kernel),
        _ => null,
    };

    /// <summary>The key of PTX.</summary>
    public static KernelKey Ptx(Context context, in KernelRequest kernel, CudaArchitecture architecture,
        CudaInstructionSet instructions) =>
        new(Describe(context, kernel, $"{architecture} isa {instructions}"), "ptx");

    // OpenCL C is written for what the device can do and for some vendors.
    private static KernelKey OpenCl(CLAccelerator device, in KernelRequest kernel)
    {
        var can = device.Capabilities;
        return new KernelKey(Describe(device.Context, kernel,
            $"opencl {device.Vendor} {device.Device.Name} {device.CLStdVersion} warp {device.WarpSize} half "
            + $"{can.Float16} double {can.Float64} generic {can.GenericAddressSpace} "
            + $"atomics {can.Int64_Atomics} sub-groups "
            + $"{can.SubGroups}"), "cl");
    }

    private static string Describe(Context context, in KernelRequest kernel, string target)
    {
        var with = context.Properties;
        var method = kernel.Method;
        return $"{Signature(method)}; {Modules(method)}; {target}; threads {kernel.Threads}, "
            + $"dynamic memory {kernel.SharedBytes > 0}, unrolled {kernel.Unroll}; {with.OptimizationLevel}, inlining "
            + $"{with.InliningMode}, maths {with.MathMode}, fields {with.StaticFieldMode}, arrays {with.ArrayMode}, "
            + $"symbols {with.DebugSymbolsMode}, assertions {with.EnableAssertions}, output {with.EnableIOOperations}, "
            + $"blocks {with.GetPTXBackendMode()}, libdevice {with.LibDevicePath}";
    }

    // A method's own ToString leaves out the type arguments of its type arguments.
    private static string Signature(MethodInfo method) => $"{method.DeclaringType}.{method.Name}"
        + (method.IsGenericMethod ? $"<{string.Join<Type>(", ", method.GetGenericArguments())}>" : "")
        + $"({string.Join(", ", method.GetParameters().Select(parameter => parameter.ParameterType))})";

    // The builds of the code that the text is made of: the kernel's and its type arguments', ILGPU's, and .NET's,
    // whose methods kernels may call.
    private static string Modules(MethodInfo method)
    {
        var modules = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in new[] { typeof(Context), typeof(XMath), typeof(object), method.DeclaringType! }
            .Concat(method.GetParameters().Select(parameter => parameter.ParameterType)).Concat(
            method.GetGenericArguments()))
            Add(type);
        return string.Join(", ", modules);

        void Add(Type type)
        {
            modules.Add($"{type.Module.Name} {type.Assembly.GetName().Version} {type.Module.ModuleVersionId:N}");
            foreach (var argument in type.GetGenericArguments())
                Add(argument);
        }
    }
}
