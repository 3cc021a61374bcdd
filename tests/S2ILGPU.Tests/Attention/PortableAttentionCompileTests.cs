using System.Reflection;
using System.Text.RegularExpressions;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Reports;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>
/// The portable kernels of attention and memory compile for an old CUDA architecture and for OpenCL, without local
/// memory, spills or double precision, within 48 KB of shared memory.
/// </summary>
public sealed partial class PortableAttentionCompileTests
{
    private static readonly Type[] s_elements = [typeof(StoredSingle), typeof(StoredBFloat16), typeof(StoredHalf)];

    private static readonly Dictionary<string, MethodInfo> s_kernels = Find().ToDictionary(kernel =>
        $"{kernel.DeclaringType!.Name}.{kernel.Name}"
        + $"<{string.Join(", ", kernel.GetGenericArguments().Select(type => type.Name))}>");

    internal static IEnumerable<string> AllNames => s_kernels.Keys.Order();

    public static TheoryData<string> Names => [.. Sweeps.PortableAttention];

    [Fact]
    public void All_of_them_are_tried() => Assert.Equal(7 + 4 + 8 + 2 + 1 + 1 + 9 + 3 + 1 + 12
        + 4 + 2 + 2 + 1, s_kernels.Count);

    [Theory]
    [MemberData(nameof(Names))]
    public void It_compiles_to_ptx(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        string ptx = OfflineCompiler.Ptx(s_kernels[name], PortableTiles.Threads, 75, unroll: false);
        Assert.DoesNotContain(".local", ptx);
        // Repairs follow tensor-core kernels, on devices with more.
        Assert.InRange(SharedBytesOf(ptx), 0, PortableTiles.SharedBytes
            + (name.Contains("Repair", StringComparison.Ordinal) ? PortableTiles.Tile * sizeof(int) : 0));
        if (CudaTools.Assemble(ptx, "sm_75").Report is { } report)
        {
            Assert.True((report.StackBytes, report.SpillStoreBytes, report.SpillLoadBytes) == (0, 0, 0),
                $"{name}: {report}");
            Assert.InRange(report.SharedBytes, 0, 48 * 1024);
        }
    }

    [Fact]
    public void Engines_ask_devices_for_the_shared_memory_of_the_largest_kernel()
    {
        TestScale.SkipUnlessDrawn(2);
        var product = typeof(ProductTile).GetMethod(nameof(ProductTile.Run))!.MakeGenericMethod(typeof(StoredSingle),
            typeof(StoredSingle), typeof(StoredSingle));
        string largest = OfflineCompiler.Ptx(s_kernels["PortableBackward.Kernel<KeyRows>"], PortableTiles.Threads,
            75, unroll: false);
        Assert.Equal(PortableTiles.SharedBytes, SharedBytesOf(largest));
        Assert.InRange(SharedBytesOf(OfflineCompiler.Ptx(product, ProductTile.Threads, 75, unroll: false)), 1,
            PortableTiles.SharedBytes);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void It_compiles_to_OpenCL(string name)
    {
        TestScale.SkipUnlessDrawn(2);
        string source = OfflineCompiler.OpenCL(s_kernels[name], PortableTiles.Threads);
        Assert.Contains("kernel void", source);
        Assert.DoesNotContain("double", source);
    }

    private static int SharedBytesOf(string ptx) =>
        SharedArray().Matches(ptx).Sum(match => int.Parse(match.Groups[1].Value, null));

    private static IEnumerable<MethodInfo> Find()
    {
        foreach (var type in (Type[])[typeof(PortableForward), typeof(PortableDecode), typeof(PortableBackward),
            typeof(PortableDelta), typeof(PortableMerge), typeof(PortableMergeBackward), typeof(CopyKernel),
            typeof(PagesKernel), typeof(SampleScores), typeof(SampleSums), typeof(BlockChoice), typeof(ChosenLists)])
            foreach (var kernel in type.GetMethods(BindingFlags.Static | BindingFlags.Public))
            {
                Type[] arguments = type == typeof(PortableBackward) ? [typeof(KeyRows), typeof(QueryRows)]
                    : kernel.Name == nameof(PortableForward.Kernel) ? [.. s_elements, typeof(StoredInt8)] : s_elements;
                var parameters = kernel.GetGenericArguments();
                if (parameters.Length == 0)
                    yield return kernel;
                else if (parameters.Length == 1)
                    foreach (var argument in arguments)
                        yield return kernel.MakeGenericMethod(argument);
                else
                    foreach (var first in arguments)
                        foreach (var second in s_elements)
                            yield return kernel.MakeGenericMethod(first, second);
            }
    }

    // As in ".shared .align 4 .b8 name[16896];"
    [GeneratedRegex(@"^\s*\.shared .*\.b8 .*\[([0-9]+)\]", RegexOptions.Multiline)]
    private static partial Regex SharedArray();
}
