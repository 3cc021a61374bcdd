using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR.Types;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace S2ILGPU.Compiler;

/// <summary>The two halves of loading a kernel, between which its text can be kept: from C# to text, and from text to a
/// kernel that can be launched.</summary>
internal static class KernelText
{
    // CLBackend's own constant: pointer and length.
    private const int FieldsPerView = 2;

    /// <summary>Compiles a kernel to PTX or OpenCL C.</summary>
    /// <param name="backend">The backend of a CUDA or OpenCL device.</param>
    /// <param name="kernel">What to compile.</param>
    public static string Compile(Backend backend, in KernelRequest kernel)
    {
        var compiled = CompileKernel(backend, kernel);
        return RunningNumbers.Renumber(compiled switch
        {
            PTXCompiledKernel ptx => ptx.PTXAssembly,
            CLCompiledKernel openCl => openCl.Source,
            _ => throw new NotSupportedException($"kernels of {backend.BackendType} have no text"),
        }, compiled.Name);
    }

    /// <summary>Makes of a text what ILGPU's compiler would have returned.</summary>
    /// <param name="context">The context of the accelerator that will load it.</param>
    /// <param name="kernel">What was compiled.</param>
    /// <param name="text">PTX, or OpenCL C.</param>
    /// <param name="version">The version of OpenCL C; null for PTX.</param>
    /// <exception cref="MissingMethodException">This ILGPU has no such constructor.</exception>
    public static CompiledKernel Restore(Context context, in KernelRequest kernel, string text, CLCVersion? version)
    {
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
        // A launch asks only whether there is dynamic memory; the size of static memory stands in the text.
        var shared = new SharedMemorySpecification(0, kernel.SharedBytes > 0);
        if (version is not { } openCl)
            return NewPtxKernel(context, new EntryPoint(entry, shared, kernel.Specialization), null, text);
        using var types = new TypeInformationManager();
        var separate = new SeparateViewEntryPoint(entry, shared, kernel.Specialization, types, FieldsPerView);
        return new CLCompiledKernel(context, separate, null, text, openCl);
    }

    /// <summary>Loads a text on a device.</summary>
    /// <exception cref="AcceleratorException">The driver refuses it; why is in the trace.</exception>
    public static Kernel Load(Accelerator accelerator, in KernelRequest kernel, string text) =>
        accelerator.LoadKernel(Restore(accelerator.Context, kernel, text,
            (accelerator as CLAccelerator)?.CLStdVersion));

    /// <summary>Compiles and loads a kernel as ILGPU does it, its text unseen.</summary>
    /// <exception cref="AcceleratorException">The driver refuses it; why is in the trace.</exception>
    public static Kernel CompileAndLoad(Accelerator accelerator, in KernelRequest kernel) =>
        accelerator.LoadKernel(CompileKernel(accelerator.GetBackend(), kernel));

    private static CompiledKernel CompileKernel(Backend backend, in KernelRequest kernel)
    {
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
        return kernel.Unroll ? backend.Compile(entry, kernel.Specialization, new UnrollLoops())
            : backend.Compile(entry, kernel.Specialization);
    }

    // CLCompiledKernel has a public constructor, PTXCompiledKernel an internal one with the same purpose
    // (ILGPU 1.5.3, Backends/PTX/PTXCompiledKernel.cs), and a CudaKernel is made of nothing else.
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern PTXCompiledKernel NewPtxKernel(Context context, EntryPoint entryPoint,
        CompiledKernel.KernelInfo? info, string ptxAssembly);
}
