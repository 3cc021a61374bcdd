using System.Reflection;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace S2ILGPU.Compiler;

/// <summary>Compiles kernels on machines without a device: PTX for CUDA, OpenCL C for everything else.</summary>
/// <remarks>Each call uses a context of its own, since after a failed compilation ILGPU's context throws for
/// ever.</remarks>
internal static class OfflineCompiler
{
    /// <summary>PTX of a kernel. ILGPU writes <c>.target sm_80</c> for all later architectures.</summary>
    /// <param name="kernel">Static method with one argument struct, launched in explicit groups.</param>
    /// <param name="threads">Threads per group; 0 for any number.</param>
    /// <param name="architecture">75 (portable kernels), 80 or 90.</param>
    /// <param name="unroll">Whether constant loops are unrolled, as all tensor-core kernels need.</param>
    /// <param name="sourceLines">Whether <c>.file</c> and <c>.loc</c> name the C# line of each instruction.</param>
    public static string Ptx(MethodInfo kernel, int threads, int architecture, bool unroll = true,
        bool sourceLines = false)
    {
        using var context = Context.Create(builder =>
        {
            builder.Optimize(OptimizationLevel.O2).EnableAlgorithms().TensorCores();
            if (sourceLines)
                SourceLines.Enable(builder);
        });
        if (sourceLines)
            foreach (var assembly in new[] { typeof(OfflineCompiler).Assembly, kernel.Module.Assembly }.Distinct())
                SourceLines.IncludeGenericTypes(context, assembly);
        using var backend = new PTXBackend(context, new CudaArchitecture(architecture / 10, architecture % 10),
            CudaInstructionSet.ISA_78, null!);
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
        var specialization = new KernelRequest(kernel, threads).Specialization;
        var compiled = sourceLines ? backend.Compile(entry, specialization, new SourceLines(unroll))
            : unroll ? backend.Compile(entry, specialization, new UnrollLoops())
            : backend.Compile(entry, specialization);
        return RunningNumbers.Renumber(((PTXCompiledKernel)compiled).PTXAssembly, compiled.Name);
    }

    /// <summary>OpenCL C of a kernel that uses none of <see cref="Tiles.Intrinsics"/>.</summary>
    /// <param name="kernel">Static method with one argument struct, launched in explicit groups.</param>
    /// <param name="threads">Threads per group; 0 for any number.</param>
    public static string OpenCL(MethodInfo kernel, int threads)
    {
        using var context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).EnableAlgorithms());
        var capabilities = new CLCapabilityContext(float16: true, float64: true, genericAddressSpace: true,
            int64_Atomics: true, subGroups: true);
        using var backend = new CLBackend(context, capabilities, CLDeviceVendor.Other, CLCVersion.CL30);
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
        var compiled = (CLCompiledKernel)backend.Compile(entry, new KernelRequest(kernel, threads).Specialization);
        return RunningNumbers.Renumber(compiled.Source, compiled.Name);
    }
}
