using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>Signed bytes of rows that have a scale each: pages of Int8, where the rows of a page are followed by their
/// float32 scales. Words are read and written, so that devices need no access to bytes.</summary>
internal readonly struct StoredInt8 : IReadElement
{
    private const float Levels = 127, LargestScale = 2.6584559915698317e36f;      // 2^121; 127 of them are finite
    private const uint SmallestMax = 0x0d800000, FirstNonFinite = 0x7f800000;     // bits of 2^-100 and of infinity

    public static bool HasScales => true;

    public static float Load(ArrayView<int> memory, long index) =>
        memory[index >> 2] << 24 - 8 * (int)(index & 3) >> 24;

    /// <summary>Whether a row with a largest magnitude is written as numbers and not as zeros.</summary>
    /// <param name="max">The bits of max |x|.</param>
    public static bool IsNumber(uint max) => max >= SmallestMax && max < FirstNonFinite;

    /// <summary>The factor from a row to its integers.</summary>
    /// <param name="max">The bits of max |x|.</param>
    public static float Inverse(uint max) => Levels / Interop.IntAsFloat(max);

    /// <summary>The scale of a row: NaN for one with NaN or infinity, 0 for one of tiny numbers.</summary>
    /// <param name="max">The bits of max |x|, in which NaN is above infinity.</param>
    public static float Scale(uint max) =>
        max >= FirstNonFinite ? float.NaN
        : max < SmallestMax ? 0 : IntrinsicMath.Min(Interop.IntAsFloat(max) / Levels, LargestScale);

    /// <summary>Rounds to the nearest integer, ties to even, and shifts it to a byte of a word. Integer arithmetic: a
    /// product that is added to would be rounded once where the device has fused instructions.</summary>
    /// <param name="x">A number of magnitude 128 at most.</param>
    /// <param name="place">Byte of the word, 0 to 3.</param>
    public static int Byte(float x, int place)
    {
        uint bits = Interop.FloatAsInt(x), mantissa = bits & 0x7fffff | 0x800000;
        int shift = IntrinsicMath.Min(150 - (int)(bits >> 23 & 0xff), 25);
        int magnitude = (int)(mantissa + (1u << shift - 1) - 1 + (mantissa >> shift & 1) >> shift);
        return (((int)bits < 0 ? -magnitude : magnitude) & 0xff) << 8 * place;
    }
}
