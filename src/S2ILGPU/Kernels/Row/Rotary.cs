using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Row;

/// <summary>
/// <c>y_c = x_c cos - x_{c+D/2} sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin</c> for the pairs of every head. x, y [B, N,
/// H, D], cosine and sine [maxPositions, D/2], positions [B, N].
/// </summary>
/// <remarks>Rows are tokens, b * N + n; columns are the pairs of all heads, h * D/2 + c. A thread reads both elements
/// of its pair before it writes them, so y may be x.</remarks>
internal struct RotaryOperation : IRowOperation
{
    public ArrayView<float> X, Y;
    public RowStrides XRows, YRows;
    public RowView Cosine, Sine;
    public ArrayView<int> Positions;
    public int Tokens, HalfDim, MaxPositions, Accumulate;

    /// <summary>1, or -1 to rotate backwards.</summary>
    public float Direction;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        int b = row / Tokens, n = row % Tokens, h = column / HalfDim, c = column % HalfDim;
        long x = XRows.Offset + b * XRows.Batch + n * XRows.Row + h * XRows.Head + c;
        long y = YRows.Offset + b * YRows.Batch + n * YRows.Row + h * YRows.Head + c;
        float cos = float.NaN, sin = float.NaN;
        int position = Positions[row];
        if (position >= 0 && position < MaxPositions) // a position outside the table must not become an address
        {
            cos = Cosine.Data[Cosine.Start(position) + c];
            sin = Sine.Data[Sine.Start(position) + c] * Direction;
        }
        float first = X[x], second = X[x + HalfDim];
        float upper = first * cos - second * sin, lower = second * cos + first * sin;
        Y[y] = Accumulate != 0 ? Y[y] + upper : upper;
        Y[y + HalfDim] = Accumulate != 0 ? Y[y + HalfDim] + lower : lower;
    }
}
