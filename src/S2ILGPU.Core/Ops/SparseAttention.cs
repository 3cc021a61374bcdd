using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Sparsely-sharded attention on tensors: forward, backward, and merging of partitions.</summary>
/// <remarks>Deterministic. Nothing of size N x N is ever in memory. Drive one engine from one thread at a
/// time.</remarks>
/// <seealso href="https://arxiv.org/abs/2407.17678">S2-Attention</seealso>
public static class SparseAttention
{
    /// <summary><c>O = softmax(scale Q K^T over the kept blocks) V, LSE = ln sum exp(scale q k)</c>.</summary>
    /// <param name="engine">The engine that holds the tensors.</param>
    /// <param name="query">Q [B, Nq, H, D], of a type that the engine <see cref="IEngine.SupportsAttention"/>, any
    /// strides with adjacent D; D a multiple of 8 from 8 to 256. Read.</param>
    /// <param name="key">K [B, Nk, Hkv, D] with Nk at least Nq: query i sits at position Nk - Nq + i. Read.</param>
    /// <param name="value">V [B, Nk, Hkv, D]. Read.</param>
    /// <param name="layout">The kept blocks; covers all keys, and has rows from the first query on.</param>
    /// <param name="options">Scale, sequences, checks; null for the defaults.</param>
    /// <returns>O [B, Nq, H, D] and LSE [B, H, Nq] on the engine; the caller disposes it.</returns>
    /// <exception cref="ShapeException">A tensor's rank, extent or element type does not fit; the message has both
    /// sides.</exception>
    /// <exception cref="ArgumentException">The layout does not cover a sequence, sequences leave the tensors or
    /// overlap, or (with <see cref="AttentionOptions.CheckFinite"/>) an input is not finite.</exception>
    /// <remarks>4 D multiplications and additions per query and kept key. Rows that keep nothing give 0 and -infinity,
    /// never NaN; empty tensors give empty results.</remarks>
    public static AttentionResult Forward(IEngine engine, Tensor query, Tensor key, Tensor value, BlockLayout layout,
        AttentionOptions? options = null)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Forward)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(layout);
        options ??= new AttentionOptions();
        AttentionRules.CheckTensors(operation, engine, query, key, value, layout);
        var sequences = AttentionRules.CheckSequences(operation, options.Sequences, query, key, layout);
        if (options.CheckFinite)
            CheckFinite(engine, operation, query, key, value);
        float scale = options.Scale ?? DefaultScale(query.Shape[3]);
        if (!float.IsFinite(scale))
            throw new ArgumentException($"{operation}: scale must be finite, got {scale}");

        var output = engine.Allocate(query.Shape, query.ElementType);
        var logSumExp = engine.Allocate(LogSumExpShape(query), AttentionRules.LogSumExpType(query));
        if (query.Count > 0)
            engine.AttentionForward(new AttentionForwardArguments(query, key, value, output, logSumExp, layout,
                sequences, scale));
        return new AttentionResult(output, logSumExp, scale, options.Sequences);
    }

    /// <summary><c>delta = rowsum(O dO) - dLSE, P = exp(scale Q K^T - LSE), dS = P (dO V^T - delta) scale, dQ = dS K,
    /// dK = dS^T Q, dV = P^T dO</c>.</summary>
    /// <param name="engine">The engine that holds the tensors.</param>
    /// <param name="query">Q of the forward pass.</param>
    /// <param name="key">K of the forward pass.</param>
    /// <param name="value">V of the forward pass.</param>
    /// <param name="result">What the forward pass returned; its scale and sequences are used again.</param>
    /// <param name="outputGradient">dO [B, Nq, H, D]. Read.</param>
    /// <param name="layout">The layout of the forward pass.</param>
    /// <param name="logSumExpGradient">dLSE [B, H, Nq], for losses that see the log-sum-exp (merged partitions); null
    /// for zero. Read.</param>
    /// <returns>dQ, dK, dV, shaped and typed like their inputs; the caller disposes them.</returns>
    /// <exception cref="ShapeException">A tensor's rank, extent or element type does not fit; the message has both
    /// sides.</exception>
    /// <exception cref="ArgumentException">The layout does not cover a sequence.</exception>
    /// <remarks>10 D multiplications and additions per query and kept key. No atomics: the same bits on every
    /// run.</remarks>
    public static AttentionGradients Backward(IEngine engine, Tensor query, Tensor key, Tensor value,
        AttentionResult result, Tensor outputGradient,
        BlockLayout layout, Tensor? logSumExpGradient = null)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Backward)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(outputGradient);
        AttentionRules.CheckTensors(operation, engine, query, key, value, layout);
        var sequences = AttentionRules.CheckSequences(operation, result.Sequences, query, key, layout);
        AttentionRules.CheckShape(operation, nameof(result.Output), result.Output, query.Shape, query.ElementType);
        AttentionRules.CheckShape(operation, nameof(outputGradient), outputGradient, query.Shape, query.ElementType);
        AttentionRules.CheckShape(operation, nameof(result.LogSumExp), result.LogSumExp, LogSumExpShape(query),
            AttentionRules.LogSumExpType(query));
        if (logSumExpGradient is not null)
            AttentionRules.CheckShape(operation, nameof(logSumExpGradient), logSumExpGradient, LogSumExpShape(query),
                AttentionRules.LogSumExpType(query));

        var gradients = new AttentionGradients(engine.Allocate(query.Shape, query.ElementType),
            engine.Allocate(key.Shape, key.ElementType),
            engine.Allocate(value.Shape, value.ElementType));
        if (query.Count > 0)
            engine.AttentionBackward(new AttentionBackwardArguments(query, key, value, result.Output, result.LogSumExp,
                outputGradient, logSumExpGradient,
                gradients.Query, gradients.Key, gradients.Value, layout, sequences, result.Scale));
        else if (key.Count > 0)
        {
            engine.Fill(gradients.Key, 0);
            engine.Fill(gradients.Value, 0);
        }
        return gradients;
    }

    /// <summary>Merges attention over disjoint parts of the keys: <c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i -
    /// LSE) O_i</c>.</summary>
    /// <param name="engine">The engine that holds the tensors.</param>
    /// <param name="parts">Results of one shape and type, at least one. Read; a row of a part that kept nothing
    /// (-infinity) counts nothing.</param>
    /// <returns>The attention over all keys, again a result, so that merges compose in a tree; the caller disposes
    /// it.</returns>
    /// <exception cref="ArgumentException">There are no parts, or they used different scales.</exception>
    /// <exception cref="ShapeException">The parts differ in shape or element type.</exception>
    public static AttentionResult Merge(IEngine engine, params IReadOnlyList<AttentionResult> parts)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Merge)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 0)
            throw new ArgumentException($"{operation}: there are no parts");
        var first = parts[0];
        foreach (var part in parts)
        {
            AttentionRules.CheckShape(operation, nameof(part.Output), part.Output, first.Output.Shape,
                first.Output.ElementType);
            AttentionRules.CheckShape(operation, nameof(part.LogSumExp), part.LogSumExp, LogSumExpShape(first.Output),
                AttentionRules.LogSumExpType(first.Output));
            if (part.Scale != first.Scale)
                throw new ArgumentException($"{operation}: parts have scales {first.Scale} and {part.Scale}");
        }
        var output = engine.Allocate(first.Output.Shape, first.Output.ElementType);
        var logSumExp = engine.Allocate(first.LogSumExp.Shape, first.LogSumExp.ElementType);
        if (first.Output.Count > 0)
            engine.MergePartitions([.. parts.Select(p => p.Output)], [.. parts.Select(p => p.LogSumExp)], output,
                logSumExp);
        return new AttentionResult(output, logSumExp, first.Scale);
    }

    /// <summary>1 / sqrt(D).</summary>
    internal static float DefaultScale(int headDim) => (float)(1 / Math.Sqrt(headDim));

    private static Shape LogSumExpShape(Tensor query) => new(query.Shape[0], query.Shape[2], query.Shape[1]);

    private static void CheckFinite(IEngine engine, string operation, Tensor query, Tensor key, Tensor value)
    {
        long inQuery = engine.CountNonFinite(query), inKey = engine.CountNonFinite(key),
            inValue = engine.CountNonFinite(value);
        if (inQuery + inKey + inValue > 0)
            throw new ArgumentException(
                $"{operation}: NaN or infinity in {inQuery} elements of the query, {inKey} of the key, {inValue} of "
                + $"the value");
    }
}
