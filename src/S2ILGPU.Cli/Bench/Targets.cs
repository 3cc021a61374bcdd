using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cli.Bench;

/// <summary>What the CPU engine should reach at least. Fractions of the machine's own peak, so that they hold on other
/// machines.</summary>
internal static class Targets
{
    // 32 registers of 512 bits and 48 KB of first-level cache, or 16 of 256 bits and 32 KB.
    private static bool HasWideRegisters => SimdWidths.Widest == SimdWidth.Bits512;

    /// <summary>Matrix products on one thread, of its peak.</summary>
    public const double MatMulOneThread = 0.85;

    /// <summary>Matrix products on all threads, of their peak.</summary>
    public static double MatMulAllThreads => HasWideRegisters ? 0.78 : 0.80;

    /// <summary>Attention forward over all blocks, of peak.</summary>
    public static double ForwardDense => HasWideRegisters ? 0.85 : 0.80;

    /// <summary>Attention forward over the kept blocks, of peak.</summary>
    public static double ForwardSparse => HasWideRegisters ? 0.78 : 0.72;

    /// <summary>Attention backward over all blocks, of peak.</summary>
    public const double BackwardDense = 0.80;

    /// <summary>Attention backward over the kept blocks, of peak.</summary>
    public static double BackwardSparse => HasWideRegisters ? 0.75 : 0.72;

    /// <summary>Speed-up of sparse over dense attention, of what the numbers of blocks allow.</summary>
    public const double SpeedUpOfCeiling = 0.90;

    /// <summary>Lengths from which the target of the speed-up applies.</summary>
    public const int SpeedUpTokens = 16384;

    /// <summary>Bytes of kept keys and values that a decoding step reads per second, of the rate of plain
    /// reading.</summary>
    public const double DecodeOfReadRate = 0.55;

    /// <summary>Decoding from a bfloat16 cache, times as fast as from a float32 cache.</summary>
    public const double BFloat16Decode = 1.5;

    /// <summary>A training step of the default model, of peak over all its multiplications.</summary>
    public static double TrainingStep => HasWideRegisters ? 0.60 : 0.75;

    /// <summary>Odd lengths, shared key/value heads, packed sequences, strided views: speed per kept block, of the
    /// aligned case.</summary>
    public const double OddShapes = 0.90;

    /// <summary>Attention forward beside busy threads: speed, of the engine's fair share of the cores.</summary>
    public const double BusyOfFairShare = 0.60;

    /// <summary>One attention forward, times as long as building its layout.</summary>
    public const double ForwardOverLayout = 50;
}
