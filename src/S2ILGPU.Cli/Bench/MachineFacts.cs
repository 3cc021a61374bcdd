using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cli.Bench;

/// <summary>The machine that figures belong to, as far as kernels see it.</summary>
/// <param name="Processor">What the processor calls itself.</param>
/// <param name="Engine">The engine that runs on all cores.</param>
/// <param name="Cores">Number of cores.</param>
/// <param name="Simd">Width of the registers.</param>
/// <param name="Caches">Sizes of the caches that kernels are cut for.</param>
internal sealed partial record MachineFacts(string Processor, string Engine, int Cores, SimdWidth Simd,
    CacheSizes Caches)
{
    /// <summary>What the processor of an engine calls itself, how many cores of it there are, and what kernels are cut
    /// for.</summary>
    public static MachineFacts Of(CpuEngine engine)
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo)
            .FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        string processor = line?.Split(':', 2)[^1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
            ?? "unknown processor";
        return new MachineFacts(processor, engine.Name, engine.Threads, engine.Simd, engine.Caches)
        {
            Pretended = [.. UnusedRegisters(), .. engine.Caches == CacheSizes.Machine ? (string[])[]
                : [$"caches of {InWords(engine.Caches)}"]],
            Blocks = $"Matrix products keep {Size(engine.Blocking.BytesOfB)} of B in the first-level cache and "
                + $"{Size(engine.Blocking.BytesOfA(engine.Simd))} of A in the second; two tiles of queries go together "
                + $"over {Size(engine.Blocking.BytesWorthPairs)} and more of keys and values.",
        };
    }

    /// <summary>What the processor is made to look like, such as <c>without AVX-512</c>; empty where it is as it
    /// is.</summary>
    public IReadOnlyList<string> Pretended { get; init; } = [];

    /// <summary>What kernels make of the caches, a sentence; empty where unknown.</summary>
    public string Blocks { get; init; } = "";

    /// <summary>The name that people use for the registers, as in <c>AVX-512</c>.</summary>
    public string SimdName => CpuEngine.SimdName(Simd);

    /// <summary>Width of the registers.</summary>
    public int RegisterBits => (int)Simd;

    /// <summary>Registers and what is pretended, for the title of a page.</summary>
    public string Title => Pretended.Count == 0 ? SimdName : $"{SimdName} (pretended: {string.Join(", ", Pretended)})";

    /// <summary>What the files of a report are called, without their ends: registers and caches, which processors with
    /// other kernels or other figures differ in, as in <c>cpu-avx2-32k-512k-32m</c>.</summary>
    public string FileName => $"cpu-{SimdName.ToLowerInvariant()}-{Short(Caches.Level1Bytes)}-"
        + $"{Short(Caches.Level2Bytes)}-{Short(Caches.LastLevelBytes)}{Suffix}";

    /// <summary>A folder's name for the machine: processor, registers and cores, since processors that differ may
    /// call themselves the same, as in <c>amd-epyc-avx2-2-cores</c>.</summary>
    public string FolderName => NotInNames().Replace(
        $"{Processor} {SimdName} {Cores} {(Cores == 1 ? "core" : "cores")}".ToLowerInvariant(), "-").Trim('-') + Suffix;

    private string Suffix => Pretended.Count == 0 ? "" : "-pretended";

    /// <summary>Writes the machine as members of an object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("machine", ToString());
        json.WriteNumber("registerBits", RegisterBits);
        json.WriteStartObject("cacheBytes");
        json.WriteNumber("level1", Caches.Level1Bytes);
        json.WriteNumber("level2", Caches.Level2Bytes);
        json.WriteNumber("lastLevel", Caches.LastLevelBytes);
        json.WriteEndObject();
        json.WriteStartArray("pretended");
        foreach (string what in Pretended)
            json.WriteStringValue(what);
        json.WriteEndArray();
    }

    /// <summary>The machine in words.</summary>
    public override string ToString() =>
        $"{Processor}, {Cores} {(Cores == 1 ? "core" : "cores")}, {Engine}, registers of {RegisterBits} bits, caches "
        + $"of {InWords(Caches)}, .NET {Environment.Version}"
        + (Pretended.Count == 0 ? "" : $", pretended: {string.Join(", ", Pretended)}");

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NotInNames();

    // Wider ones than the engine uses: switched off, or left alone by the runtime.
    private static IEnumerable<string> UnusedRegisters()
    {
        const int FeatureLeaf = 7, Avx2 = 1 << 5, Avx512 = 1 << 16;
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < FeatureLeaf)
            return [];
        int features = X86Base.CpuId(FeatureLeaf, 0).Ebx;
        return (features & Avx512) != 0 && SimdWidths.Widest < SimdWidth.Bits512 ? ["without AVX-512"]
            : (features & Avx2) != 0 && SimdWidths.Widest < SimdWidth.Bits256 ? ["without AVX2"] : [];
    }

    private static string InWords(CacheSizes caches) =>
        $"{Size(caches.Level1Bytes)}, {Size(caches.Level2Bytes)} and {Size(caches.LastLevelBytes)}";

    private static string Short(int bytes) => Size(bytes).Replace(" ", "").Replace("B", "").ToLowerInvariant();

    private static string Size(long bytes) => bytes >= 1 << 20
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.##} MB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.##} KB");
}
