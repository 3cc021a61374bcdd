using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>What attention demands of its arguments, for the op on the tape and for the eager entry.</summary>
internal static class AttentionRules
{
    public const int MinHeadDim = 8, MaxHeadDim = 256, HeadDimMultiple = 8;
    public const string HeadDimRule = "a multiple of 8 from 8 to 256";

    /// <summary>Checks queries [B, Nq, H, D], keys and values [B, Nk, Hkv, D] against each other, against the layout's
    /// heads and against what the engine can do.</summary>
    public static void CheckTensors(string operation, IEngine engine, Tensor query, Tensor key, Tensor value,
        BlockLayout layout)
    {
        Rank4(operation, nameof(query), query);
        Rank4(operation, nameof(key), key);
        Rank4(operation, nameof(value), value);
        int batch = query.Shape[0], headDim = query.Shape[3];
        CheckHeadDim(operation, query);
        var pattern = layout.Pattern;
        if (query.Shape[2] != pattern.QueryHeads)
            throw new ShapeException(operation, nameof(query),
                $"[B, Nq, {pattern.QueryHeads}, D], the query heads of the layout's pattern",
                query.Shape.ToString());
        var expected = new Shape(batch, key.Shape[1], pattern.KeyValueHeads, headDim);
        if (key.Shape != expected)
            throw new ShapeException(operation, nameof(key),
                $"{expected} for a query {query.Shape} and {pattern.KeyValueHeads} key/value heads",
                key.Shape.ToString());
        ShapeException.ThrowUnless(operation, nameof(value), value, key.Shape);
        SameType(operation, nameof(key), key, query);
        SameType(operation, nameof(value), value, query);
        if (!engine.SupportsAttention(query.ElementType))
            throw new ShapeException(operation, nameof(query),
                $"of an element type that {engine.Name} has attention for, as {engine.FloatType}", query.ToString());
        CheckWindow(operation, engine, pattern);
    }

    /// <summary>Refuses a window of tokens on an engine that has none.</summary>
    /// <exception cref="ArgumentException">The engine does not support it.</exception>
    public static void CheckWindow(string operation, IEngine engine, AttentionPattern pattern)
    {
        if (pattern.WindowTokens != int.MaxValue && !engine.SupportsTokenWindows)
            throw new ArgumentException($"{operation}: {engine.Name} computes no windows that are counted in tokens, "
                + $"asked for {pattern.WindowTokens}; the cpu device does, and windows of whole blocks run everywhere");
    }

    /// <summary>The sequences, or those of a uniform batch, checked against the tensors, the layout and each
    /// other.</summary>
    public static SequenceBatch CheckSequences(string operation, SequenceBatch? sequences, Tensor query, Tensor key,
        BlockLayout layout)
    {
        int batch = query.Shape[0], queryRows = query.Shape[1], keyRows = key.Shape[1];
        if (sequences is null && queryRows > keyRows)
            throw new ShapeException(operation, nameof(query),
                $"of at most {keyRows} tokens, as many as the key {key.Shape}", query.Shape.ToString());
        sequences ??= SequenceBatch.Uniform(batch, queryRows, keyRows);
        foreach (var s in sequences.Sequences)
        {
            if (s.Batch >= batch || s.QueryCount > queryRows - s.QueryStart || s.KeyCount > keyRows - s.KeyStart)
                throw new ArgumentException($"{operation}: {s} leaves the query {query.Shape} or the key {key.Shape}");
            CheckCovers(operation, layout, s);
        }
        if (HasOverlap(sequences, keys: false) || HasOverlap(sequences, keys: true))
            throw new ArgumentException(
                $"{operation}: sequences overlap: {string.Join(", ", sequences.Sequences.ToArray())}");
        return sequences;
    }

    /// <summary>Checks a tensor, if there is one, against the operand whose shape and element type it must have; any
    /// strides with adjacent D.</summary>
    public static void CheckLike(string operation, string argument, Tensor? tensor, Tensor like)
    {
        if (tensor is null)
            return;
        CheckShape(operation, argument, tensor, like.Shape, like.ElementType);
        CheckAdjacent(operation, argument, tensor);
    }

    /// <summary>Checks log-sum-exps or their gradients [B, H, Nq], if there are any.</summary>
    public static void CheckStatistics(string operation, string argument, Tensor? tensor, Tensor query)
    {
        if (tensor is not null)
            CheckShape(operation, argument, tensor, StatisticsShape(query), LogSumExpType(query));
    }

    /// <summary>[B, H, Nq].</summary>
    public static Shape StatisticsShape(Tensor query) => new(query.Shape[0], query.Shape[2], query.Shape[1]);

    /// <summary>Log-sum-exps are single precision, double for double inputs.</summary>
    public static ElementType LogSumExpType(Tensor query) =>
        query.ElementType == ElementType.Float64 ? ElementType.Float64 : ElementType.Float32;

    private static void CheckShape(string operation, string argument, Tensor tensor, Shape expected, ElementType type)
    {
        ShapeException.ThrowUnless(operation, argument, tensor, expected);
        if (tensor.ElementType != type)
            throw new ShapeException(operation, argument, $"{type} {expected}", tensor.ToString());
    }

    private static void CheckAdjacent(string operation, string argument, Tensor tensor)
    {
        if (tensor.Count > 0 && tensor.Stride(3) != 1)
            throw new ShapeException(operation, argument, "adjacent within a head", $"a stride of {tensor.Stride(3)}");
    }

    private static void CheckCovers(string operation, BlockLayout layout, Sequence s)
    {
        if (s.KeyCount > layout.Tokens)
            throw new ArgumentException(
                $"{operation}: the layout covers {layout.Tokens} tokens, a sequence has {s.KeyCount} keys");
        if (s.QueryCount > 0 && s.FirstQueryPosition / layout.BlockTokens < layout.FirstQueryBlock)
            throw new ArgumentException(
                $"{operation}: the layout's rows start at position {layout.FirstQueryBlock * layout.BlockTokens}, a "
                + $"first query is at {s.FirstQueryPosition}");
    }

    private static void CheckHeadDim(string operation, Tensor query)
    {
        int headDim = query.Shape[3];
        if (headDim is < MinHeadDim or > MaxHeadDim || headDim % HeadDimMultiple != 0)
            throw new ShapeException(operation, nameof(query), $"of a head dimension that is {HeadDimRule}",
                query.Shape.ToString());
    }

    private static bool HasOverlap(SequenceBatch sequences, bool keys)
    {
        var ranges = new (int Batch, int Start, int End)[sequences.Sequences.Length];
        for (int i = 0; i < ranges.Length; i++)
        {
            var s = sequences.Sequences[i];
            ranges[i] = keys ? (s.Batch, s.KeyStart, s.KeyStart + s.KeyCount)
                : (s.Batch, s.QueryStart, s.QueryStart + s.QueryCount);
        }
        Array.Sort(ranges);
        (int Batch, int End) reached = (-1, 0);
        foreach (var (batch, start, end) in ranges)
        {
            if (start == end)
                continue;
            if (batch == reached.Batch && start < reached.End)
                return true;
            reached = (batch, end);
        }
        return false;
    }

    private static void Rank4(string operation, string argument, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.Shape.Rank != 4)
            throw new ShapeException(operation, argument, "[batch, tokens, heads, head dimension]",
                tensor.Shape.ToString());
        CheckAdjacent(operation, argument, tensor);
    }

    private static void SameType(string operation, string argument, Tensor tensor, Tensor query)
    {
        if (tensor.ElementType != query.ElementType)
            throw new ShapeException(operation, argument, $"{query.ElementType} like the query", tensor.ToString());
    }
}
