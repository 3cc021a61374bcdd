using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>How much of its operands a product takes at a time, so that they stay in the caches: the only place that
/// makes sizes of tiles out of sizes of caches.</summary>
/// <remarks>Changes no bit of a result: chunks of rows and of columns leave the order of every sum alone. The length of
/// the sums (<see cref="MaxSteps"/>) would not, and is the same on all machines.</remarks>
/// <param name="FloatsOfB">Of the panels of B that are multiplied with one row tile of A after the other: half of the
/// first-level cache. The other half is left to the tile of A, to C, and to what the hardware prefetches.</param>
/// <param name="RowTiles">Tiles of A, of the packed height, that a worker multiplies with every panel of B: a third of
/// the second-level cache, beside the panel under way and the next one.</param>
/// <param name="BytesWorthPairs">From how many bytes of keys and values on two tiles of queries go over them together:
/// <see cref="PairedCaches"/> second-level caches.</param>
internal sealed record Blocking(int FloatsOfB, int RowTiles, long BytesWorthPairs)
{
    /// <summary>Steps that a sum of a packed product takes at a time.</summary>
    public const int MaxSteps = 512;

    // Fewer tiles would read each panel of B too often for the work on it; more give nothing, and make chunks too large
    // to share out evenly.
    private const int LeastRowTiles = 4, MostRowTiles = 12;

    // A share of the last-level cache is what counts, but a virtual machine names the whole of it. Measured where the
    // second level has 1 MB, on 2 threads, dense, in turn in one process: pairs give 0.94x to 0.98x at 4 MB (D64 at
    // 16k, D128 at 8k with groups of heads), 1.04x to 1.08x at 6 and 8 MB (D64 at 24k and 32k), 1.09x at 8 MB (D128 at
    // 16k). Sparse rows, which have a tenth of it, 0.98x to 1.01x. Not measured on a machine with another second level:
    // that 512 KB make it 2.5 MB is an extrapolation.
    private const long PairedCaches = 5;

    /// <summary>The sizes for a machine.</summary>
    /// <param name="simd">A resolved width, which decides how high a tile is.</param>
    /// <param name="level1Bytes">First-level cache of a core.</param>
    /// <param name="level2Bytes">Second-level cache of a core.</param>
    public static Blocking Of(SimdWidth simd, int level1Bytes, int level2Bytes) =>
        new(level1Bytes / 2 / sizeof(float), Math.Clamp(level2Bytes / 3 / TileBytes(simd), LeastRowTiles, MostRowTiles),
            PairedCaches * level2Bytes);

    /// <summary>Bytes of the panels of B that are in use at a time.</summary>
    public int BytesOfB => FloatsOfB * sizeof(float);

    /// <summary>Bytes of the tiles of A that are in use at a time.</summary>
    /// <param name="simd">The width that the sizes were chosen for.</param>
    public int BytesOfA(SimdWidth simd) => RowTiles * TileBytes(simd);

    private static int TileBytes(SimdWidth simd) => PackedHeight(simd) * MaxSteps * sizeof(float);

    private static int PackedHeight(SimdWidth simd) => simd switch
    {
        SimdWidth.Bits512 => RegisterKernels<Simd512>.PackedHeight,
        SimdWidth.Bits256 => RegisterKernels<Simd256>.PackedHeight,
        SimdWidth.Bits128 => RegisterKernels<Simd128>.PackedHeight,
        _ => RegisterKernels<SimdScalar>.PackedHeight,
    };
}
