using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cli.Bench;

/// <summary>The machine that figures belong to.</summary>
/// <param name="Processor">What the processor calls itself.</param>
/// <param name="Engine">The engine that runs on all cores.</param>
/// <param name="Cores">Number of cores.</param>
/// <param name="Simd">Width of the registers.</param>
/// <param name="Caches">Sizes of the caches.</param>
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
        return new MachineFacts(processor, engine.Name, engine.Threads, engine.Simd, engine.Caches);
    }

    /// <summary>The name that people use for the registers, as in <c>AVX-512</c>.</summary>
    public string SimdName => CpuEngine.SimdName(Simd);

    /// <summary>Width of the registers.</summary>
    public int RegisterBits => (int)Simd;

    /// <summary>What the files of a report are called, without their ends: machines with other registers have other
    /// figures, so that their reports stand beside each other.</summary>
    public string FileName => $"cpu-{SimdName.ToLowerInvariant()}";

    /// <summary>A folder's name for the machine: processor, registers and cores, since processors that differ may
    /// call themselves the same, as in <c>amd-epyc-avx2-2-cores</c>.</summary>
    public string FolderName => NotInNames().Replace(
        $"{Processor} {SimdName} {Cores} {(Cores == 1 ? "core" : "cores")}".ToLowerInvariant(), "-").Trim('-');

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
    }

    /// <summary>The machine in words.</summary>
    public override string ToString() =>
        $"{Processor}, {Cores} {(Cores == 1 ? "core" : "cores")}, {Engine}, registers of {RegisterBits} bits, caches "
        + $"of {Size(Caches.Level1Bytes)}, {Size(Caches.Level2Bytes)} and {Size(Caches.LastLevelBytes)}, .NET "
        + $"{Environment.Version}";

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NotInNames();

    private static string Size(int bytes) => bytes >= 1 << 20
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.##} MB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.##} KB");
}
