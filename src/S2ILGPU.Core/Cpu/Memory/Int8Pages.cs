using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Pages of Int8 [P, blockTokens, D + 4] as this engine arranges them: the rows of a page, D bytes each, and
/// behind them their float32 scales. So rows keep their alignment, and the scales of neighbouring keys are
/// neighbours.</summary>
internal static unsafe class Int8Pages
{
    private const float Levels = 127, LargestScale = 2.6584559915698317e36f;      // 2^121; 127 of them are finite
    private const uint SmallestMax = 0x0D800000, FirstNonFinite = 0x7F800000;     // bits of 2^-100 and of infinity

    /// <summary>Refuses what are not pages of rows of D elements.</summary>
    /// <exception cref="ArgumentException">The tensor has another type or shape, or its pages have gaps.</exception>
    public static void Check(Tensor pages, int headDim)
    {
        if (pages.ElementType != ElementType.Int8 || pages.Shape.Rank != 3
            || pages.Shape != PageTable.PagesShape(pages.Shape[0], pages.Shape[1], headDim, ElementType.Int8)
            || !pages.IsContiguous || pages.OffsetElements % sizeof(float) != 0)
            throw new ArgumentException(
                $"expected contiguous Int8 pages [P, blockTokens, {headDim} + 4], got {pages}");
    }

    /// <summary>The scales of a page's rows.</summary>
    public static float* Scales(byte* page, int blockTokens, int headDim) =>
        (float*)(page + (nint)blockTokens * headDim);

    /// <summary>Writes a row of a page, see <see cref="IEngine.WritePages"/>.</summary>
    public static void Write(float* row, int headDim, byte* page, int blockTokens, int index) =>
        Scales(page, blockTokens, headDim)[index] = Quantize(row, headDim, (sbyte*)page + (nint)index * headDim);

    // Writes the integers and returns their scale.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Quantize(float* row, int count, sbyte* target)
    {
        uint max = MaxMagnitude(row, count);
        bool isNumber = max is >= SmallestMax and < FirstNonFinite;
        float magnitude = BitConverter.UInt32BitsToSingle(max), inverse = Levels / magnitude;
        int d = 0;
        for (; isNumber && d + Vector128<sbyte>.Count <= count; d += Vector128<sbyte>.Count)
            Vector128.Store(Vector128.Narrow(Vector128.Narrow(Rounded(row + d, inverse), Rounded(row + d + 4, inverse)),
                Vector128.Narrow(Rounded(row + d + 8, inverse), Rounded(row + d + 12, inverse))), target + d);
        for (; d < count; d++)
            target[d] = isNumber ? (sbyte)MathF.Round(row[d] * inverse) : (sbyte)0;
        return isNumber ? Math.Min(magnitude / Levels, LargestScale) : max >= FirstNonFinite ? float.NaN : 0;
    }

    private static Vector128<int> Rounded(float* source, float inverse) =>
        Vector128.ConvertToInt32(Vector128.Round(Vector128.Load(source) * inverse));

    // Bits of the largest |x|: as integers, NaN is above infinity and infinity above all numbers.
    private static uint MaxMagnitude(float* row, int count)
    {
        const uint Magnitude = 0x7FFFFFFF;
        var wide = Vector128<uint>.Zero;
        int d = 0;
        for (; d + Vector128<uint>.Count <= count; d += Vector128<uint>.Count)
            wide = Vector128.Max(wide, Vector128.Load((uint*)row + d) & Vector128.Create(Magnitude));
        uint max = Math.Max(Math.Max(wide[0], wide[1]), Math.Max(wide[2], wide[3]));
        for (; d < count; d++)
            max = Math.Max(max, ((uint*)row)[d] & Magnitude);
        return max;
    }
}
