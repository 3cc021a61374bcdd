using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>CPU engines for the tests.</summary>
internal static class Engines
{
    /// <summary>An engine of a register width, or a skipped test where the machine does not have it.</summary>
    public static CpuBackend Create(SimdWidth simd, int threads)
    {
        if (simd > SimdWidths.Widest)
            Assert.Skip($"this machine has no registers of {simd}");
        return new CpuBackend(new CpuOptions(simd, threads));
    }
}
