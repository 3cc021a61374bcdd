using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu;

/// <summary>How the CPU engine uses the machine.</summary>
/// <param name="Simd">Width of the SIMD registers; default the widest that the machine has.</param>
/// <param name="Threads">Number of threads, the calling one included; 0 (default) for all processors that the process
/// may use, container limits considered.</param>
public sealed record CpuOptions(SimdWidth Simd = SimdWidth.Auto, int Threads = 0);
