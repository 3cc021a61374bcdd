using System.Reflection;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.Row;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Compiler;

public sealed class RunningNumbersTests
{
    public static TheoryData<string> Kernels => ["forward-bf16-d64-rows64-buffers2-from100-block64", "forward-fp32",
        "dq-fp32", "rms norm"];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void The_text_does_not_depend_on_what_was_compiled_before(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        var (kernel, threads, unroll) = Find(name);
        string first = OfflineCompiler.Ptx(kernel, threads, 80, unroll);
        OfflineCompiler.Ptx(typeof(NonFiniteKernel).GetMethod(nameof(NonFiniteKernel.NonFinite))!, 32, 80, false);
        Assert.Equal(first, OfflineCompiler.Ptx(kernel, threads, 80, unroll));
        if (unroll)
            return;
        string source = OfflineCompiler.OpenCL(kernel, threads);
        OfflineCompiler.OpenCL(typeof(NonFiniteKernel).GetMethod(nameof(NonFiniteKernel.NonFinite))!, 32);
        Assert.Equal(source, OfflineCompiler.OpenCL(kernel, threads));
    }

    [Fact]
    public void Names_are_numbered_by_first_use_and_the_kernel_keeps_its_own() => Assert.Equal("""
        .target sm_80
        .visible .entry Kernel_Run_2(.param .b64 _view_0)
        ld.global.v4.b32 {%r_9}, [_view_0+16];
        ex2.approx.f32 %f12, %f13;
        L_1: bra L_2; bra L_1; call add_3;
        .file 1 "/work_2/add_88.cs"
        """, RunningNumbers.Renumber("""
        .target sm_80
        .visible .entry Kernel_Run_2(.param .b64 _view_4711)
        ld.global.v4.b32 {%r_9}, [_view_4711+16];
        ex2.approx.f32 %f12, %f13;
        L_47200: bra L_47201; bra L_47200; call add_88;
        .file 1 "/work_2/add_88.cs"
        """, "Kernel_Run_2"));

    private static (MethodInfo Kernel, int Threads, bool Unroll) Find(string name)
    {
        if (name == "rms norm")
            return (typeof(RmsNormKernel).GetMethod(nameof(RmsNormKernel.Run))!.MakeGenericMethod(typeof(StoredSingle)),
                64, false);
        if (KernelVariants.All.FirstOrDefault(v => v.Name == name) is { } variant)
            return (variant.Method, variant.Threads, true);
        return (PortableVariants.All.Single(v => v.Name == name).Method, PortableTiles.Threads, false);
    }
}
