using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Joins the parts of <see cref="Decode"/> and <see cref="Forward"/>: <c>m = max LSE_i, LSE = m + ln sum e^(LSE_i -
/// m), O = sum e^(LSE_i - LSE) O_i</c>.
/// </summary>
/// <remarks>A thread owns four columns of one line, a row of one query head; D / 4 neighbouring threads share a line.
/// Parts without a key have LSE -inf and weight 0; a line of such parts alone gets O = 0 and LSE = -inf if its row sees
/// nothing, else NaN.</remarks>
internal static class Merge
{
    private const float Log2e = 1.4426950408889634f, Ln2 = 0.6931471805599453f, Lowest = -1e30f;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>The kernel. Grid: enough groups of 128 threads for <see cref="MergeArguments.Count"/>.</summary>
    public static void Kernel<TElement>(MergeArguments a) where TElement : struct, IElement
    {
        int index = Grid.IdxX * Threads + Group.IdxX, line = index / a.HeadQuads, quad = index % a.HeadQuads;
        if (index >= a.Count)
            return;
        int tileLines = a.GroupHeads * a.TileRows, tileRow = line % a.TileRows;
        var tile = a.Rows[line / tileLines];
        int row = tile.FirstRow + tileRow, head = tile.Head + line % tileLines / a.TileRows;
        if (row < tile.BeginRow || row >= tile.EndRow)
            return;
        float top = Lowest, total = 0f;
        for (int i = 0; i < a.Splits; i++)
            top = IntrinsicMath.Max(top, a.PartialLogSumExp[(long)line * a.Splits + i]);
        F4 o = default;
        for (int i = 0; i < a.Splits; i++)
        {
            float weight = Intrinsics.Exp2((a.PartialLogSumExp[(long)line * a.Splits + i] - top) * Log2e);
            var part = a.PartialOutput[((long)line * a.Splits + i) * a.HeadQuads + quad];
            o.X += weight * part.X;
            o.Y += weight * part.Y;
            o.Z += weight * part.Z;
            o.W += weight * part.W;
            total += weight;
        }
        // No part with a weight: nothing seen, or scores of -inf alone, which are 0 / 0.
        float nothing = (tile.SeenRows >> (tileRow / 16) & 1u) != 0 ? float.NaN : 0f, inverse = total == 0f ? nothing
            : Intrinsics.Reciprocal(total);
        long element = a.OutputRows.Offset + tile.Batch * a.OutputRows.Batch + row * a.OutputRows.Row + head
            * a.OutputRows.Head;
        a.Output[element / 2 + quad * 2] = TElement.Pack(o.X * inverse, o.Y * inverse);
        a.Output[element / 2 + quad * 2 + 1] = TElement.Pack(o.Z * inverse, o.W * inverse);
        if (quad == 0)
            a.LogSumExp[((long)tile.Batch * a.Heads + head) * a.LogSumExpRows + row] = total == 0f
                ? float.NegativeInfinity + nothing : top + Intrinsics.Log2(total) * Ln2;
    }
}
