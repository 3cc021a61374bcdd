using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>Rows of D elements of a group of tokens as operand A of products that sum over tokens, <c>C[D, lanes] (+)=
/// rows^T B[tokens, lanes]</c>: packed as tiles where registers are few, otherwise as they lie.</summary>
/// <remarks>
/// Measured on Zen 5 with 32 registers, rows as they lie against packed ones, 4k to 16k: forward 1.00x dense and 1.01x
/// to 1.04x for L8 s16, backward 1.04x to 1.08x dense and 1.08x to 1.13x for L8 s16. With 16 registers and 32 KB
/// of cache, rows as they lie cost a fifth of the product at D128.
/// </remarks>
internal readonly unsafe struct TokenSum<T>
    where T : unmanaged, ISimd<T>
{
    private readonly float* _start;
    private readonly nint _stride;
    private readonly int _headDim;

    private TokenSum(float* start, nint stride, int headDim)
    {
        _start = start;
        (_stride, _headDim) = (stride, headDim);
    }

    /// <summary>Whether rows are packed.</summary>
    public static bool Packs => !T.HasManyRegisters;

    /// <summary>Floats of scratch memory for the packed rows of a group.</summary>
    public static int PackedFloats(int headDim) => Packs ? TokenRows.PackedFloats<T>(headDim) : 0;

    /// <summary>The rows of a group, which also lie one after the other.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="group">The tokens.</param>
    /// <param name="lying">The rows as floats; not read where they are packed.</param>
    /// <param name="stride">Floats from one of them to the next.</param>
    /// <param name="scratch">Room for <see cref="PackedFloats"/>.</param>
    public static TokenSum<T> Of(in TokenRows rows, TokenGroup group, float* lying, nint stride, float* scratch)
    {
        if (Packs)
            lying = rows.Tiles<T>(group, scratch, out stride);
        return new(lying, stride, rows.HeadDim);
    }

    /// <summary>Multiplies with some lanes of panels.</summary>
    /// <param name="product">B, C and the number of tokens.</param>
    /// <param name="panels">Where panels lie.</param>
    /// <param name="firstLane">First lane.</param>
    /// <param name="endLane">Exclusive end.</param>
    /// <param name="tile">How tiles begin and end.</param>
    public void Multiply<TTile>(Product product, PanelStrides panels, nint firstLane, nint endLane, TTile tile)
        where TTile : struct, ITile<T>
    {
        product.A = _start;
        if (Packs)
        {
            RegisterKernels<T>.MultiplyPanels<UnitStride, TileStep<T>, TTile>(product,
                panels with { TileGap = _stride - RegisterKernels<T>.Height }, _headDim, firstLane, endLane, tile);
            return;
        }
        product.StepStride = _stride;
        RegisterKernels<T>.MultiplyPanels<UnitStride, AnyStride, TTile>(product, panels, _headDim, firstLane, endLane,
            tile);
    }
}
