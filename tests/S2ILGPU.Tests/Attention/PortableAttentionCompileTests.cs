using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using S2ILGPU.Compiler;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Kernels.MatMul;
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
        $"{kernel.DeclaringType!.Name}.{kernel.Name}<{string.Join(", ", kernel.GetGenericArguments().Select(type => type.Name))}>");

    public static TheoryData<string> Names => [.. s_kernels.Keys.Order()];

    [Fact]
    public void All_of_them_are_tried() => Assert.Equal(6 + 3 + 8 + 2 + 1 + 1 + 1 + 9 + 3 + 1 + 9, s_kernels.Count);

    [Theory]
    [MemberData(nameof(Names))]
    public void It_compiles_to_ptx(string name)
    {
        string ptx = OfflineCompiler.Ptx(s_kernels[name], PortableTiles.Threads, null, 75, unroll: false);
        Assert.DoesNotContain(".local", ptx);
        // Repairs follow tensor-core kernels, on devices with more.
        Assert.InRange(SharedBytesOf(ptx), 0, PortableTiles.SharedBytes
            + (name.Contains("Repair", StringComparison.Ordinal) ? PortableTiles.Tile * sizeof(int) : 0));
        if (Report(ptx) is { } report)
        {
            Assert.True(report.Contains("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
                StringComparison.Ordinal), $"{name}: {report}");
            int shared = SharedBytes().Match(report) is { Success: true } match
                ? int.Parse(match.Groups[1].Value, null) : 0;
            Assert.InRange(shared, 0, 48 * 1024);
        }
    }

    [Fact]
    public void Engines_ask_devices_for_the_shared_memory_of_the_largest_kernel()
    {
        var product = typeof(ProductTile).GetMethod(nameof(ProductTile.Run))!.MakeGenericMethod(typeof(StoredSingle));
        string largest = OfflineCompiler.Ptx(s_kernels["PortableBackward.Kernel<KeyRows>"], PortableTiles.Threads, null,
            75, unroll: false);
        Assert.Equal(PortableTiles.SharedBytes, SharedBytesOf(largest));
        Assert.InRange(SharedBytesOf(OfflineCompiler.Ptx(product, ProductTile.Threads, null, 75, unroll: false)), 1,
            PortableTiles.SharedBytes);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void It_compiles_to_OpenCL(string name)
    {
        string source = OfflineCompiler.OpenCL(s_kernels[name], PortableTiles.Threads);
        Assert.Contains("kernel void", source);
        Assert.DoesNotContain("double", source);
    }

    private static int SharedBytesOf(string ptx) =>
        SharedArray().Matches(ptx).Sum(match => int.Parse(match.Groups[1].Value, null));

    private static IEnumerable<MethodInfo> Find()
    {
        foreach (var type in (Type[])[typeof(PortableForward), typeof(PortableDecode), typeof(PortableBackward),
            typeof(PortableDelta), typeof(PortableMerge), typeof(PortableMergeBackward), typeof(PortableCopy),
            typeof(PortableCount), typeof(PortablePages)])
            foreach (var kernel in type.GetMethods(BindingFlags.Static | BindingFlags.Public))
            {
                Type[] arguments = type == typeof(PortableBackward) ? [typeof(KeyRows), typeof(QueryRows)] : s_elements;
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

    // What ptxas says, where the CUDA toolkit is there.
    private static string? Report(string ptx)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (folders.Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "ptxas.exe" : "ptxas"))
            .FirstOrDefault(File.Exists) is not { } assembler)
            return null;
        string source = Path.GetTempFileName(), output = Path.GetTempFileName();
        try
        {
            File.WriteAllText(source, ptx);
            using var process =
                Process.Start(new ProcessStartInfo(assembler,
                ["-arch=sm_75", "-v", source, "-o", output]) { RedirectStandardError = true })!;
            string report = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, report);
            return report;
        }
        finally
        {
            File.Delete(source);
            File.Delete(output);
        }
    }

    // As in ".shared .align 4 .b8 name[16896];"
    [GeneratedRegex(@"^\s*\.shared .*\.b8 .*\[([0-9]+)\]", RegexOptions.Multiline)]
    private static partial Regex SharedArray();

    [GeneratedRegex("([0-9]+) bytes smem")]
    private static partial Regex SharedBytes();
}
