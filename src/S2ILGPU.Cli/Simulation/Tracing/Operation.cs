using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>One call of an engine's operation.</summary>
/// <param name="Name">Its name in <see cref="IEngine"/>.</param>
/// <param name="Work">Multiplications and additions of products and attention, bytes read and written of all
/// others.</param>
/// <param name="Rows">Rows that are gathered or added by their number; of products, elements of the matrix times the
/// rows that are computed one by one (<see cref="MatMulArguments.FewRows"/>), which take longer than many together; 0
/// for operations that go straight through their tensors.</param>
/// <param name="Bytes">Bytes that products and attention read and write: what few rows cost, where there is little to
/// multiply.</param>
internal readonly record struct Operation(string Name, double Work, long Rows = 0, double Bytes = 0)
{
    /// <summary>Multiplications and additions of a product.</summary>
    public static Operation Of(in MatMulArguments arguments) => new(nameof(IEngine.MatMul),
        2.0 * arguments.C.Count * arguments.A.Shape[arguments.TransposeA ? 0 : 1],
        arguments.B.Count * arguments.FewRows,
        Bytes: BytesOf(arguments.A) + BytesOf(arguments.B) + BytesOf(arguments.C) + BytesOf(arguments.Bias)
            + BytesOf(arguments.Residual));

    /// <summary>Those of the forward pass over the kept blocks: 4 D per score. Keys and values are read
    /// once for each head of the pattern.</summary>
    public static Operation Of(in AttentionForwardArguments arguments)
    {
        var (query, key) = (arguments.Query, arguments.Key);
        double scores = 0, keys = 0;
        for (int s = 0; s < arguments.Sequences.Sequences.Length; s++)
            AddScores(arguments.Layouts?[s] ?? arguments.Layout, arguments.Sequences.Sequences[s], ref scores,
                ref keys);
        double heads = query.Shape[2] / (double)arguments.Layout.Heads;
        return new(nameof(IEngine.AttentionForward), 4 * scores * heads * query.Shape[3],
            Bytes: 2 * keys * query.Shape[3] * key.ElementType.SizeBytes());
    }

    /// <summary>Those of the backward pass: 10 D per score.</summary>
    public static Operation Of(in AttentionBackwardArguments arguments)
    {
        double scores = 0, keys = 0;
        foreach (var sequence in arguments.Sequences.Sequences)
            AddScores(arguments.Layout, sequence, ref scores, ref keys);
        double heads = arguments.Query.Shape[2] / (double)arguments.Layout.Heads;
        return new(nameof(IEngine.AttentionBackward), 10 * scores * heads * arguments.Query.Shape[3]);
    }

    /// <summary>An operation that is bound by memory.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tensors">What it reads and writes; null for what is left out.</param>
    public static Operation Over(string name, params ReadOnlySpan<Tensor?> tensors)
    {
        double bytes = 0;
        foreach (var tensor in tensors)
            bytes += BytesOf(tensor);
        return new Operation(name, bytes);
    }

    private static double BytesOf(Tensor? tensor) =>
        tensor is null ? 0 : (double)tensor.Count * tensor.ElementType.SizeBytes();

    // Scores of a sequence over the heads of the layout, whole key blocks where a mask hides a part, and the keys that
    // it reads: where no dropped block returns, these are those of the first row and the blocks after it.
    private static void AddScores(BlockLayout layout, in Sequence sequence, ref double scores, ref double keys)
    {
        if (sequence.QueryCount == 0)
            return;
        int block = layout.BlockTokens, first = sequence.FirstQueryPosition, firstRow = first / block,
            end = BlockLayout.BlocksOf(sequence.KeyCount, block);
        keys += (Kept(layout, firstRow) + (double)layout.Heads * (end - firstRow - 1)) * block;
        for (int row = firstRow; row < end; row++)
        {
            int queries = Math.Min(sequence.KeyCount, (row + 1) * block) - Math.Max(first, row * block);
            scores += (double)queries * Kept(layout, row) * block;
        }
    }

    private static long Kept(BlockLayout layout, int row)
    {
        long kept = 0;
        for (int head = 0; head < layout.Heads; head++)
            kept += layout.CountBlocks(head, row, row + 1);
        return kept;
    }
}
