using System.Collections;
using System.Reflection;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Compiler;

/// <summary>A kernel made of a text is what ILGPU's compiler returns, for all that a launch asks of it.</summary>
public sealed class KernelTextTests
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

    [Theory]
    [InlineData("forward-bf16-d64-rows64-buffers2-from100-block64")]
    [InlineData("pack-bf16-aligned")]
    public void Restored_ptx_is_a_kernel_like_the_compiled_one(string name)
    {
        var variant = KernelVariants.All.Single(v => v.Name == name);
        var request = new KernelRequest(variant.Method, variant.Threads, variant.SharedBytes, Unroll: true);
        using var context = Context.Create(builder => builder.EnableAlgorithms().TensorCores());
        using var backend = new PTXBackend(context, new CudaArchitecture(8, 0), CudaInstructionSet.ISA_78, null!);
        string text = KernelText.Compile(backend, request);
        var restored = (PTXCompiledKernel)KernelText.Restore(context, request, text, version: null);
        var compiled = backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(request.Method),
            request.Specialization, new UnrollLoops());
        AssertAlike(compiled, restored);
        Assert.Equal(text, restored.PTXAssembly);
        Assert.Contains($".entry {restored.Name}", text);
    }

    [Fact]
    public void Restored_OpenCL_C_is_a_kernel_like_the_compiled_one()
    {
        var request = new KernelRequest(PortableVariants.All.Single(v => v.Name == "forward-fp32").Method);
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        using var backend = new CLBackend(context, new CLCapabilityContext(true, true, true, true, true),
            CLDeviceVendor.Other, CLCVersion.CL30);
        string text = KernelText.Compile(backend, request);
        var restored = (CLCompiledKernel)KernelText.Restore(context, request, text, CLCVersion.CL30);
        var compiled = backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(request.Method),
            request.Specialization);
        AssertAlike(compiled, restored);
        Assert.Equal(text, restored.Source);
        Assert.Equal(((CLCompiledKernel)compiled).CVersion, restored.CVersion);
        Assert.Contains($"{restored.Name}(", text);
        var (expected, actual) = (Views(compiled), Views(restored));
        Assert.NotEmpty(expected);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void A_kernel_has_a_name_that_a_person_can_look_up() =>
        Assert.Equal("Pack.CopyElements<BFloat16Element, StoredBFloat16>", KernelRequest.NameOf(
            KernelVariants.All.Single(v => v.Name == "pack-bf16-unaligned").Method));

    private static void AssertAlike(CompiledKernel compiled, CompiledKernel restored)
    {
        Assert.Same(compiled.Context, restored.Context);
        Assert.Equal(compiled.Name, restored.Name);
        Assert.Equal(compiled.SourceMethod, restored.SourceMethod);
        Assert.Equal(compiled.IndexType, restored.IndexType);
        Assert.Equal(compiled.NumParameters, restored.NumParameters);
        Assert.Equal(compiled.Specialization, restored.Specialization);
        Assert.Equal(Entry(compiled).SharedMemory.HasDynamicMemory, Entry(restored).SharedMemory.HasDynamicMemory);
        Assert.Equal(Entry(compiled).GetType(), Entry(restored).GetType());
    }

    private static EntryPoint Entry(CompiledKernel kernel) =>
        (EntryPoint)typeof(CompiledKernel).GetProperty("EntryPoint", Hidden)!.GetValue(kernel)!;

    // Where each view of the argument comes from and goes to.
    private static List<string> Views(CompiledKernel kernel) =>
        [.. ((SeparateViewEntryPoint)Entry(kernel)).ViewParameters.Select(view =>
            $"{view.Index} {view.ParameterIndex} {view.ParameterType} {string.Join('.', Chain(view.SourceChain))} "
            + $"{view.TargetAccess} {view.ElementType} {view.ViewType}")];

    private static IEnumerable<object> Chain(object chain) =>
        ((IEnumerable)chain.GetType().GetProperty("AccessChain", Hidden | BindingFlags.Public)!.GetValue(chain)!)
            .Cast<object>();
}
