using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>C of a product in device memory, of floats or of 16-bit elements: element (r, c) is number <c>Offset + r
/// Stride + c</c>.</summary>
internal struct ResultMatrix
{
    /// <summary>The memory underneath.</summary>
    public ArrayView<int> Memory;

    /// <summary>The first element and the distance between rows, in elements.</summary>
    public long Offset, Stride;

    /// <summary>Extents.</summary>
    public int Rows, Columns;

    /// <summary>Whether elements are floats (1) or of the operands' type (0).</summary>
    public int IsSingle;

    /// <summary>Whether results are added to what is there (1) or overwrite it (0).</summary>
    public int Accumulate;

    /// <summary>Whether offset and stride are multiples of 4 elements (1), so that four are stored at once, or not
    /// (0).</summary>
    public int AreQuadsAligned;

    /// <summary>Puts four neighbouring results of an existing row in place; <paramref name="column"/> is a multiple of
    /// 4, and columns beyond the matrix are left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Put<TElement>(int row, int column, F4 x) where TElement : struct, IElement
    {
        long at = Offset + row * Stride + column;
        int count = Columns - column;
        if ((AreQuadsAligned != 0) & (count >= 4))
        {
            if (IsSingle != 0)
                PutFloats(at / 4, x);
            else
                PutPairs<TElement>(at / 4, x);
            return;
        }
        if (count > 0)
            PutElement<TElement>(at, x.X);
        if (count > 1)
            PutElement<TElement>(at + 1, x.Y);
        if (count > 2)
            PutElement<TElement>(at + 2, x.Z);
        if (count > 3)
            PutElement<TElement>(at + 3, x.W);
    }

    private readonly void PutFloats(long quad, F4 x)
    {
        var quads = Memory.Cast<F4>();
        if (Accumulate != 0)
        {
            var old = quads[quad];
            x = new() { X = old.X + x.X, Y = old.Y + x.Y, Z = old.Z + x.Z, W = old.W + x.W };
        }
        quads[quad] = x;
    }

    private readonly void PutPairs<TElement>(long quad, F4 x) where TElement : struct, IElement
    {
        var quads = Memory.Cast<U2>();
        if (Accumulate != 0)
        {
            var old = quads[quad];
            x = new() { X = TElement.Low(old.X) + x.X, Y = TElement.High(old.X) + x.Y, Z = TElement.Low(old.Y) + x.Z,
                W = TElement.High(old.Y) + x.W };
        }
        quads[quad] = new() { X = TElement.Pack(x.X, x.Y), Y = TElement.Pack(x.Z, x.W) };
    }

    private readonly void PutElement<TElement>(long at, float x) where TElement : struct, IElement
    {
        if (IsSingle != 0)
        {
            var floats = Memory.Cast<float>();
            floats[at] = Accumulate != 0 ? floats[at] + x : x;
        }
        else
        {
            var halves = Memory.Cast<ushort>();
            float sum = Accumulate != 0 ? TElement.Low(halves[at]) + x : x;
            halves[at] = (ushort)(TElement.Pack(sum, 0f) & 0xffffu);
        }
    }
}
