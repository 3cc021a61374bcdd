using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Row;

/// <summary>
/// <c>y_c = x_c cos - x_{c+D/2} sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin</c> for the pairs of every head. x, y [B, N,
/// H, D], cosine and sine [maxPositions, D/2], positions [B, N].
/// </summary>
/// <remarks>Rows are tokens, b * N + n; columns are the pairs of all heads, h * <see cref="PaddedHalf"/> + c, where
/// each head has whole quads. A thread reads both elements of its pairs before it writes them, so y may be x.</remarks>
internal struct RotaryOperation : IRowOperation
{
    public HeadRowsView X, Y;
    public RowView Cosine, Sine;
    public ArrayView<int> Positions;
    public int Tokens, Heads, HalfDim, MaxPositions, Accumulate;

    /// <summary>1, or -1 to rotate backwards.</summary>
    public float Direction;

    public int Rows { readonly get; set; }

    public readonly long Columns => (long)Heads * PaddedHalf;

    private readonly int PaddedHalf => HalfDim + Quad.Count - 1 & -Quad.Count;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        int b = row / Tokens, n = row % Tokens, h = (int)column / PaddedHalf, c = (int)column % PaddedHalf;
        long x = X.Start(b, n, h) + c, y = Y.Start(b, n, h) + c, left = HalfDim - c;
        Quad cos = new Quad() + float.NaN, sin = cos;
        int position = Positions[row];
        if (position >= 0 && position < MaxPositions) // a position outside the table must not become an address
        {
            cos = Cosine.Load<StoredSingle>(position, c);
            sin = Sine.Load<StoredSingle>(position, c) * Direction;
        }
        var first = Quad.Load<TStored>(X.Words, x, left, X.IsAligned);
        var second = Quad.Load<TStored>(X.Words, x + HalfDim, left, X.IsAligned);
        var upper = first * cos - second * sin;
        var lower = second * cos + first * sin;
        if (Accumulate != 0)
        {
            upper = Quad.Load<TStored>(Y.Words, y, left, Y.IsAligned) + upper;
            lower = Quad.Load<TStored>(Y.Words, y + HalfDim, left, Y.IsAligned) + lower;
        }
        upper.Store<TStored>(Y.Words, y, left, Y.IsAligned);
        lower.Store<TStored>(Y.Words, y + HalfDim, left, Y.IsAligned);
    }
}

/// <summary>A tensor [B, N, H, D] as the rows of its heads.</summary>
internal struct HeadRowsView
{
    /// <summary>The memory underneath, as 32-bit words.</summary>
    public ArrayView<int> Words;

    /// <summary>Where the rows lie.</summary>
    public RowStrides Rows;

    /// <summary>Whether both halves of every row begin at a multiple of 4 elements (1) or not (0).</summary>
    public int IsAligned;

    /// <summary>First element of a row.</summary>
    public readonly long Start(int b, int n, int h) =>
        Rows.Offset + b * Rows.Batch + n * Rows.Row + h * Rows.Head;
}
