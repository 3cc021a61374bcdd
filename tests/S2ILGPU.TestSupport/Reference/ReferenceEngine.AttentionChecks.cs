using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    private static void CheckForward(in AttentionForwardArguments a)
    {
        const string operation = nameof(AttentionForward);
        Contract.Rank(operation, "query", a.Query, 4);
        int batch = a.Query.Shape[0], queries = a.Query.Shape[1], heads = a.Query.Shape[2], headDim = a.Query.Shape[3];
        int count = a.Sequences.Sequences.Length;
        if (a.Pages is null)
            Contract.Shape(operation, "key", a.Key, batch, a.Key.Shape[1], a.Layout.Pattern.KeyValueHeads, headDim);
        else
            ShapeException.ThrowUnless(operation, "key pages", a.Key,
                PageTable.PagesShape(a.Key.Shape[0], a.Layout.BlockTokens, headDim, a.Key.ElementType));
        Contract.Require(a.Pages is null
            || (a.Pages.KeyValueHeads == a.Layout.Pattern.KeyValueHeads && a.Pages.Sequences >= count), operation,
            $"a page table [{a.Pages?.Sequences}, {a.Pages?.KeyValueHeads}, ...] for {count} sequences and "
                + $"{a.Layout.Pattern.KeyValueHeads} KV heads");
        ShapeException.ThrowUnless(operation, "value", a.Value, a.Key.Shape);
        ShapeException.ThrowUnless(operation, "output", a.Output, a.Query.Shape);
        if (a.LogSumExp is not null)
            Contract.Shape(operation, "log-sum-exp", a.LogSumExp, batch, heads, queries);
        Contract.Adjacent(operation, a.Query, a.Key, a.Value, a.Output);
        Contract.Require(a.Layouts is null || a.Layouts.Count == count, operation,
            $"{a.Layouts?.Count} layouts for {count} sequences");
        CheckHeads(operation, a.Layout, heads);
        foreach (var layout in a.Layouts ?? [])
            CheckHeads(operation, layout, heads);
        CheckRowsDisjoint(operation, a.Sequences, batch, queries, a.Pages is null ? a.Key.Shape[1] : int.MaxValue,
            a.Pages is null);
    }

    private static void CheckBackward(in AttentionBackwardArguments a)
    {
        const string operation = nameof(AttentionBackward);
        Contract.Rank(operation, "query", a.Query, 4);
        int batch = a.Query.Shape[0], queries = a.Query.Shape[1], heads = a.Query.Shape[2], headDim = a.Query.Shape[3];
        Contract.Shape(operation, "key", a.Key, batch, a.Key.Shape[1], a.Layout.Pattern.KeyValueHeads, headDim);
        ShapeException.ThrowUnless(operation, "output", a.Output, a.Query.Shape);
        ShapeException.ThrowUnless(operation, "output gradient", a.OutputGradient, a.Query.Shape);
        ShapeException.ThrowUnless(operation, "query gradient", a.QueryGradient, a.Query.Shape);
        ShapeException.ThrowUnless(operation, "value", a.Value, a.Key.Shape);
        ShapeException.ThrowUnless(operation, "key gradient", a.KeyGradient, a.Key.Shape);
        ShapeException.ThrowUnless(operation, "value gradient", a.ValueGradient, a.Key.Shape);
        Contract.Shape(operation, "log-sum-exp", a.LogSumExp, batch, heads, queries);
        if (a.LogSumExpGradient is not null)
            Contract.Shape(operation, "log-sum-exp gradient", a.LogSumExpGradient, batch, heads, queries);
        Contract.Adjacent(operation, a.Query, a.Key, a.Value, a.Output, a.OutputGradient, a.QueryGradient,
            a.KeyGradient, a.ValueGradient);
        CheckHeads(operation, a.Layout, heads);
        CheckRowsDisjoint(operation, a.Sequences, batch, queries, a.Key.Shape[1], true);
    }

    private static void CheckHeads(string operation, BlockLayout layout, int heads) =>
        Contract.Require(layout.Pattern.QueryHeads == heads, operation,
        $"{heads} query heads, but the pattern has {layout.Pattern.QueryHeads}");

    private static void CheckCovers(string operation, BlockLayout layout, Sequence sequence) =>
        Contract.Require(sequence.KeyCount <= layout.Tokens
            && (sequence.QueryCount == 0 || sequence.FirstQueryPosition / layout.BlockTokens >= layout.FirstQueryBlock),
            operation,
                $"a layout of {layout.Tokens} tokens from query block {layout.FirstQueryBlock} does not cover "
                + $"{sequence}");

    private static void CheckRowsDisjoint(string operation, SequenceBatch sequences, int batch, int queryRows,
        int keyRows, bool keysInTensor)
    {
        var (queries, keys) = (new HashSet<(int, int)>(), new HashSet<(int, int)>());
        foreach (var s in sequences.Sequences)
        {
            Contract.Require(s.Batch < batch && s.QueryStart + s.QueryCount <= queryRows
                && (!keysInTensor || s.KeyStart + s.KeyCount <= keyRows),
                operation, $"{s} leaves the tensors of batch {batch}, {queryRows} query rows and {keyRows} key rows");
            for (int i = 0; i < s.QueryCount; i++)
                Contract.Require(queries.Add((s.Batch, s.QueryStart + i)), operation,
                    $"query row {s.QueryStart + i} belongs to two sequences");
            for (int j = 0; keysInTensor && j < s.KeyCount; j++)
                Contract.Require(keys.Add((s.Batch, s.KeyStart + j)), operation,
                    $"key row {s.KeyStart + j} belongs to two sequences");
        }
    }
}
