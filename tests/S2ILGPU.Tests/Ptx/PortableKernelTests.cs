using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ILGPU;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Reports;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Every kernel in plain ILGPU compiles for the CUDA architectures that are reported and for OpenCL, without
/// local memory, spills or double precision, within the shared memory that engines ask devices for.</summary>
public sealed partial class PortableKernelTests
{
    private static readonly Dictionary<string, ReportedKernel> s_kernels = ReportedKernel.All
        .Where(kernel => !kernel.TensorCore).ToDictionary(kernel => kernel.Variant);

    internal static IEnumerable<string> AllNames => s_kernels.Keys;

    public static TheoryData<string> Names => [.. Sweeps.Portable];

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiles_to_ptx(string name)
    {
        var kernel = s_kernels[name];
        foreach (var report in KernelReports.Of(kernel, kernel.Architectures.Where(a => a != "opencl")))
        {
            Assert.Contains(report.Architecture == "sm_75" ? ".target sm_75" : ".target sm_80", report.Source);
            Assert.DoesNotContain(".local", report.Source); // what does not fit registers would go to memory
            // Repairs follow tensor-core kernels, on devices with more.
            Assert.InRange(SharedBytesOf(report.Source), 0, PortableTiles.SharedBytes
                + (name.StartsWith("repair", StringComparison.Ordinal) ? PortableTiles.Tile * sizeof(int) : 0));
            if (CudaTools.HasAssembler)
                Assert.True((report.StackBytes, report.SpillBytes) == (0, 0),
                    $"{name} on {report.Architecture}: {report.StackBytes} bytes of stack, {report.SpillBytes} "
                    + $"bytes of spills");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiles_to_OpenCL(string name)
    {
        string source = KernelReports.Of(s_kernels[name], ["opencl"]).Single().Source;
        Assert.Contains("kernel void", source);
        Assert.DoesNotContain("double", source); // devices without double precision run them too
    }

    [Theory]
    [InlineData("fp32", "ld.global.v4.f32", "st.global.v4.f32")]
    [InlineData("bf16", "ld.global.v2.b32", "st.global.v2.b32")]
    [InlineData("fp16", "ld.global.v2.b32", "st.global.v2.b32")]
    public void Four_elements_are_one_load_and_one_store(string stored, string load, string store)
    {
        string ptx = Ptx($"add-{stored}");
        Assert.Contains(load, ptx);
        Assert.Contains(store, ptx);
    }

    [Theory]
    [InlineData("sumofsquares-32tensors")]
    [InlineData("adamw-32tensors-bf16")]
    public void Lists_of_tensors_fit_the_arguments_of_CUDA(string name)
    {
        var sizes = ArgumentBytes().Matches(Ptx(name)).Select(match => int.Parse(match.Groups[1].ValueSpan));
        Assert.InRange(sizes.Sum(), 32 * 16, 4096);
    }

    // A view has 24 bytes in C# and on OpenCL devices alike: a pointer, an index and a length.
    [Fact]
    public void Lists_of_tensors_fit_the_arguments_of_OpenCL()
    {
        Assert.InRange(Unsafe.SizeOf<AdamWArguments<Four<ParameterUpdate>>>(), 4 * 16, 1024);
        Assert.InRange(Unsafe.SizeOf<SumOfSquaresArguments<Four<ArrayView<float>>>>(), 4 * 16, 1024);
    }

    [Fact]
    public void Engines_ask_devices_for_the_shared_memory_of_the_largest_kernel()
    {
        TestScale.SkipUnlessDrawn(2);
        Assert.Equal(PortableTiles.SharedBytes, SharedBytesOf(Ptx("dkdv-fp32")));
        Assert.InRange(SharedBytesOf(Ptx("matmul-tile-fp32-fp32-fp32")), 1, PortableTiles.SharedBytes);
    }

    private static string Ptx(string name) =>
        OfflineCompiler.Ptx(s_kernels[name].Method, s_kernels[name].Threads, 75, unroll: false);

    private static int SharedBytesOf(string ptx) =>
        SharedArray().Matches(ptx).Sum(match => int.Parse(match.Groups[1].ValueSpan));

    [GeneratedRegex(@"\.param \.align \d+ \.b8 \w+\[(\d+)\]")]
    private static partial Regex ArgumentBytes();

    // As in ".shared .align 4 .b8 name[16896];"
    [GeneratedRegex(@"^\s*\.shared .*\.b8 .*\[([0-9]+)\]", RegexOptions.Multiline)]
    private static partial Regex SharedArray();
}
