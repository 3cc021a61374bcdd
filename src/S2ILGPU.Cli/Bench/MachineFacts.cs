using System.Globalization;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cli.Bench;

/// <summary>The machine that figures belong to.</summary>
/// <param name="Processor">What the processor calls itself.</param>
/// <param name="Engine">The engine that runs on all cores.</param>
/// <param name="Cores">Number of cores.</param>
/// <param name="Simd">Width of the registers.</param>
/// <param name="Caches">Sizes of the caches.</param>
internal sealed record MachineFacts(string Processor, string Engine, int Cores, SimdWidth Simd, CacheSizes Caches)
{
    /// <summary>The name that people use for the registers, as in <c>AVX-512</c>.</summary>
    public string SimdName => CpuEngine.SimdName(Simd);

    /// <summary>Width of the registers.</summary>
    public int RegisterBits => (int)Simd;

    /// <summary>What the files of a report are called, without their ends: machines with other registers have other
    /// figures, so that their reports stand beside each other.</summary>
    public string FileName => $"cpu-{SimdName.ToLowerInvariant()}";

    /// <summary>The machine in words.</summary>
    public override string ToString() =>
        $"{Processor}, {Cores} {(Cores == 1 ? "core" : "cores")}, {Engine}, registers of {RegisterBits} bits, caches "
        + $"of {Size(Caches.Level1Bytes)}, {Size(Caches.Level2Bytes)} and {Size(Caches.LastLevelBytes)}, .NET "
        + $"{Environment.Version}";

    private static string Size(int bytes) => bytes >= 1 << 20
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.##} MB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.##} KB");
}
