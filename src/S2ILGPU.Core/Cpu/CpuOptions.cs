using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu;

/// <summary>How the CPU engine uses the machine.</summary>
/// <param name="Simd">Width of the SIMD registers; default the widest that the machine has.</param>
/// <param name="Threads">Number of threads, the calling one included; 0 (default) for all processors that the process
/// may use, container limits considered.</param>
/// <param name="Caches">Sizes of the caches that kernels are cut for; null (default) for those of the machine. Changes
/// speed and no bit of a result.</param>
public sealed record CpuOptions(SimdWidth Simd = SimdWidth.Auto, int Threads = 0, CacheSizes? Caches = null);
