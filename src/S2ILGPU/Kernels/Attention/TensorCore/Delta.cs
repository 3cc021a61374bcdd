using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary><c>delta = rowsum(O dO) - dLSE</c>, written with LSE as the lines that <see cref="Backward"/> reads; see
/// <see cref="QueryLines{TShape}"/>.</summary>
/// <remarks>
/// A group of 4 x 64 threads owns a row tile, four neighbouring lanes a row: lane t the elements 8t to 8t + 7 of every
/// 32, as far as there are so many. Rows of the tile outside the sequence read a row inside instead of branching.
/// Roofline: memory bandwidth, 4 D bytes read and 8 written per query; two 16-byte loads per thread are in flight, the
/// share was not measured.
/// </remarks>
internal static class Delta
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 256;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const float Log2E = 1.4426950408889634f;

    /// <summary>The kernel. Grid: one group of <see cref="Threads"/> threads per row tile. O and dO may be of different
    /// types.</summary>
    public static void Kernel<TOutput, TGradient, THeadDim>(DeltaArguments a) where TOutput : struct, IEightElements
        where TGradient : struct, IEightElements where THeadDim : struct, INumber
    {
        var tile = a.Rows[Grid.IdxX];
        int t = Group.IdxX & 3, packedRow = Group.IdxX >> 2, row = tile.FirstRow + packedRow,
            inside = IntrinsicMath.Max(tile.BeginRow, IntrinsicMath.Min(row, tile.EndRow - 1));
        long output = First(a.OutputRows, tile, inside) + t * 8,
            gradient = First(a.OutputGradientRows, tile, inside) + t * 8;
        float sum = 0f;
        for (int i = 0; i < THeadDim.Value / 32; i++)
            sum += Dot<TOutput, TGradient>(a, output + i * 32, gradient + i * 32);
        const int whole = ~31;
        if (t * 8 < THeadDim.Value % 32)
            sum += Dot<TOutput, TGradient>(a, output + (THeadDim.Value & whole), gradient + (THeadDim.Value & whole));
        sum += Warp.ShuffleXor(sum, 1);
        sum += Warp.ShuffleXor(sum, 2);
        if (t == 0)
        {
            float lse = float.PositiveInfinity, delta = 0f;
            if (row == inside)
            {
                long at = ((long)tile.Batch * a.Heads + tile.Head) * a.LogSumExpRows + row;
                delta = sum;
                if (a.LogSumExpGradient.Length != 0)
                    delta -= a.LogSumExpGradient[at];
                lse = a.LogSumExp[at];
                // a row that keeps nothing: P = 0
                lse = lse == float.NegativeInfinity ? float.PositiveInfinity : lse * Log2E;
            }
            long line = (long)tile.PackedTile * 128 + packedRow / 16 * 32 + packedRow % 16;
            a.Lines[line] = lse;
            a.Lines[line + 16] = -delta;
        }
    }

    [MethodImpl(Inline)]
    private static long First(in RowStrides strides, in RowTile tile, int row) =>
        strides.Offset + tile.Batch * strides.Batch + tile.Head * strides.Head + row * strides.Row;

    /// <summary>Eight elements of O times eight of dO.</summary>
    [MethodImpl(Inline)]
    private static float Dot<TOutput, TGradient>(in DeltaArguments a, long output, long gradient)
        where TOutput : struct, IEightElements where TGradient : struct, IEightElements
    {
        var (o, g) = (TOutput.Load(a.Output, output), TGradient.Load(a.OutputGradient, gradient));
        return Dot(o.Left, g.Left) + Dot(o.Right, g.Right);
    }

    [MethodImpl(Inline)]
    private static float Dot(F4 x, F4 y) => x.X * y.X + x.Y * y.Y + (x.Z * y.Z + x.W * y.W);
}

/// <summary>Eight neighbouring elements as floats.</summary>
internal struct F8
{
    /// <summary>The first and the second four.</summary>
    public F4 Left, Right;
}

/// <summary>Reads eight neighbouring elements of a type at a time.</summary>
internal interface IEightElements
{
    /// <summary>Elements <paramref name="element"/> to element + 7; element is a multiple of 8.</summary>
    static abstract F8 Load(ArrayView<U4> source, long element);
}

/// <summary>Eight elements of 16 bits.</summary>
internal readonly struct EightHalves<TElement> : IEightElements where TElement : struct, IElement
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F8 Load(ArrayView<U4> source, long element)
    {
        var words = source[element / 8];
        return new()
        {
            Left = new() { X = TElement.Low(words.X), Y = TElement.High(words.X), Z = TElement.Low(words.Y),
                W = TElement.High(words.Y) },
            Right = new() { X = TElement.Low(words.Z), Y = TElement.High(words.Z), Z = TElement.Low(words.W),
                W = TElement.High(words.W) },
        };
    }
}
