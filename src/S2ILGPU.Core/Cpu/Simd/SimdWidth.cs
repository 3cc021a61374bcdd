using System.Runtime.Intrinsics;

namespace S2ILGPU.Cpu.Simd;

/// <summary>Width of the SIMD registers that the CPU engine uses.</summary>
public enum SimdWidth
{
    /// <summary>The widest that the machine accelerates.</summary>
    Auto = 0,

    /// <summary>No SIMD: one float at a time.</summary>
    Scalar = 32,

    /// <summary>128 bits: SSE, NEON.</summary>
    Bits128 = 128,

    /// <summary>256 bits: AVX2.</summary>
    Bits256 = 256,

    /// <summary>512 bits: AVX-512.</summary>
    Bits512 = 512,
}

/// <summary>Facts about <see cref="SimdWidth"/> on this machine.</summary>
public static class SimdWidths
{
    /// <summary>The widest registers that this machine accelerates.</summary>
    public static SimdWidth Widest =>
        Vector512.IsHardwareAccelerated ? SimdWidth.Bits512 : Vector256.IsHardwareAccelerated ? SimdWidth.Bits256
        : Vector128.IsHardwareAccelerated ? SimdWidth.Bits128 : SimdWidth.Scalar;

    /// <summary>The widths that run on this machine, narrowest first. Narrower ones than the widest give the same
    /// results more slowly.</summary>
    public static IReadOnlyList<SimdWidth> Available =>
        [.. new[] { SimdWidth.Scalar, SimdWidth.Bits128, SimdWidth.Bits256, SimdWidth.Bits512 }.Where(w =>
        w <= Widest)];

    /// <summary>Resolves <see cref="SimdWidth.Auto"/> and refuses what the machine does not have.</summary>
    /// <param name="width">The wish.</param>
    /// <exception cref="PlatformNotSupportedException">The machine has no registers that wide.</exception>
    public static SimdWidth Resolve(SimdWidth width)
    {
        if (width > Widest)
            throw new PlatformNotSupportedException($"SIMD width {width} was asked for, this machine has {Widest}");
        return width == SimdWidth.Auto ? Widest : width;
    }
}
