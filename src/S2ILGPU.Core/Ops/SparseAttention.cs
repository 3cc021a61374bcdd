using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Sparsely-sharded attention on tensors: forward, backward, and merging of partitions.</summary>
/// <remarks>
/// <para>Deterministic. Nothing of size N x N is ever in memory. Drive one engine from one thread at a time.</para>
/// <para>Arguments are checked here, once; engines trust them.</para>
/// </remarks>
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
    /// <param name="output">Where O goes, [B, Nq, H, D] of the type of Q, any strides with adjacent D; null for new
    /// memory. Written.</param>
    /// <param name="logSumExp">Where LSE goes, [B, H, Nq], single precision; null for new memory. Written.</param>
    /// <returns>O [B, Nq, H, D] and LSE [B, H, Nq] on the engine; the caller disposes it. It holds shares of the
    /// caller's own output tensors, which stay the caller's.</returns>
    /// <exception cref="ShapeException">A tensor's rank, extent or element type does not fit; the message has both
    /// sides.</exception>
    /// <exception cref="ArgumentException">The layout does not cover a sequence, sequences leave the tensors or
    /// overlap, or (with <see cref="AttentionOptions.CheckFinite"/>) an input is not finite.</exception>
    /// <remarks>4 D multiplications and additions per query and kept key. Rows that keep nothing give 0 and -infinity;
    /// NaN and infinity reach the rows that see them and no others, as <see cref="IEngine.AttentionForward"/> says;
    /// empty tensors give empty results.</remarks>
    public static AttentionResult Forward(IEngine engine, Tensor query, Tensor key, Tensor value, BlockLayout layout,
        AttentionOptions? options = null, Tensor? output = null, Tensor? logSumExp = null)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Forward)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(layout);
        options ??= new AttentionOptions();
        AttentionRules.CheckTensors(operation, engine, query, key, value, layout);
        var sequences = AttentionRules.CheckSequences(operation, options.Sequences, query, key, layout);
        AttentionRules.CheckLike(operation, nameof(output), output, query);
        AttentionRules.CheckStatistics(operation, nameof(logSumExp), logSumExp, query);
        float scale = options.Scale ?? DefaultScale(query.Shape[3]);
        if (!float.IsFinite(scale))
            throw new ArgumentException($"{operation}: scale must be finite, got {scale}");
        if (options.CheckFinite)
            CheckFinite(engine, operation, query, key, value);

        var result = new AttentionResult(output?.Share() ?? engine.Allocate(query.Shape, query.ElementType),
            logSumExp?.Share() ?? engine.Allocate(AttentionRules.StatisticsShape(query),
            AttentionRules.LogSumExpType(query)), scale, options.Sequences);
        if (query.Count > 0)
            engine.AttentionForward(new AttentionForwardArguments(query, key, value, result.Output, result.LogSumExp,
                layout, sequences, scale));
        return result;
    }

    /// <summary><c>delta = rowsum(O dO) - dLSE, P = exp(scale Q K^T - LSE), dS = P (dO V^T - delta) scale, dQ = dS K,
    /// dK = dS^T Q, dV = P^T dO</c>.</summary>
    /// <param name="engine">The engine that holds the tensors.</param>
    /// <param name="query">Q of the forward pass.</param>
    /// <param name="key">K of the forward pass, or one part of the keys of a merged result.</param>
    /// <param name="value">V of the forward pass, or the part that goes with the keys.</param>
    /// <param name="result">What the forward pass, or the merge, returned; its scale and sequences are used
    /// again.</param>
    /// <param name="outputGradient">dO [B, Nq, H, D]. Read.</param>
    /// <param name="layout">The layout of the forward pass.</param>
    /// <param name="logSumExpGradient">dLSE [B, H, Nq], for losses that see the log-sum-exp (merged partitions); null
    /// for zero. Read.</param>
    /// <param name="sequences">The sequences of these keys, where the parts of a merged result had different ones; null
    /// for those of the result.</param>
    /// <param name="into">Where dQ, dK and dV go, any strides with adjacent D; null for new memory. Written.</param>
    /// <returns>dQ, dK, dV, shaped and typed like their inputs: <paramref name="into"/>, or new tensors, which the
    /// caller disposes.</returns>
    /// <exception cref="ShapeException">A tensor's rank, extent or element type does not fit; the message has both
    /// sides.</exception>
    /// <exception cref="ArgumentException">The layout does not cover a sequence, or the result was merged from parts of
    /// different sequences and none are given.</exception>
    /// <remarks>10 D multiplications and additions per query and kept key. No atomics: the same bits on every run. NaN
    /// and infinity reach the gradients of what they met and no others, as <see cref="IEngine.AttentionBackward"/>
    /// says.</remarks>
    public static AttentionGradients Backward(IEngine engine, Tensor query, Tensor key, Tensor value,
        AttentionResult result, Tensor outputGradient, BlockLayout layout, Tensor? logSumExpGradient = null,
        SequenceBatch? sequences = null, AttentionGradients? into = null)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Backward)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(outputGradient);
        if (sequences is null && result.HasPartsOfDifferentSequences)
            throw new ArgumentException(
                $"{operation}: the result was merged from parts of different sequences; give those of the keys");
        AttentionRules.CheckTensors(operation, engine, query, key, value, layout);
        sequences = AttentionRules.CheckSequences(operation, sequences ?? result.Sequences, query, key, layout);
        AttentionRules.CheckLike(operation, nameof(result.Output), result.Output, query);
        AttentionRules.CheckStatistics(operation, nameof(result.LogSumExp), result.LogSumExp, query);
        AttentionRules.CheckLike(operation, nameof(outputGradient), outputGradient, query);
        AttentionRules.CheckStatistics(operation, nameof(logSumExpGradient), logSumExpGradient, query);
        AttentionRules.CheckLike(operation, $"{nameof(into)}.{nameof(into.Query)}", into?.Query, query);
        AttentionRules.CheckLike(operation, $"{nameof(into)}.{nameof(into.Key)}", into?.Key, key);
        AttentionRules.CheckLike(operation, $"{nameof(into)}.{nameof(into.Value)}", into?.Value, value);

        var gradients = into ?? new AttentionGradients(engine.Allocate(query.Shape, query.ElementType),
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
    /// <param name="parts">Results of one shape and type for the same queries, at least one. Read; a row of a part that
    /// kept nothing (-infinity) counts nothing.</param>
    /// <returns>The attention over all keys, again a result, so that merges compose in a tree; the caller disposes it.
    /// It keeps the sequences of its parts: <see cref="Backward"/> takes it with the keys of any part and gives that
    /// part's gradients of the whole.</returns>
    /// <exception cref="ArgumentException">There are no parts, they used different scales, or their sequences have
    /// different query rows.</exception>
    /// <exception cref="ShapeException">The parts differ in shape or element type.</exception>
    /// <remarks>A part with a log-sum-exp of NaN makes the row NaN.</remarks>
    public static AttentionResult Merge(IEngine engine, params IReadOnlyList<AttentionResult> parts)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(Merge)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(parts);
        var first = CheckParts(operation, parts);
        var output = engine.Allocate(first.Output.Shape, first.Output.ElementType);
        var logSumExp = engine.Allocate(first.LogSumExp.Shape, first.LogSumExp.ElementType);
        if (first.Output.Count > 0)
            engine.MergePartitions([.. parts.Select(p => p.Output)], [.. parts.Select(p => p.LogSumExp)], output,
                logSumExp);
        bool isSame = parts.All(part => !part.HasPartsOfDifferentSequences
            && SequenceBatch.HaveSameContent(part.Sequences, first.Sequences));
        return new AttentionResult(output, logSumExp, first.Scale, isSame ? first.Sequences : null)
        {
            HasPartsOfDifferentSequences = !isSame,
        };
    }

    /// <summary>The gradient of <see cref="Merge"/>: <c>w_i = exp(LSE_i - LSE), dO_i = w_i dO, dLSE_i = w_i (rowsum(dO
    /// (O_i - O)) + dLSE)</c>.</summary>
    /// <param name="engine">The engine that holds the tensors.</param>
    /// <param name="parts">The parts that were merged. Read.</param>
    /// <param name="merged">What the merge returned. Read.</param>
    /// <param name="outputGradient">dO [B, N, H, D]. Read.</param>
    /// <param name="logSumExpGradient">dLSE [B, H, N]; null for zero. Read.</param>
    /// <returns>dO_i and dLSE_i of each part, for <see cref="Backward"/> of that part; the caller disposes them. 0
    /// where a part kept nothing.</returns>
    /// <exception cref="ArgumentException">There are no parts, or they differ in scale.</exception>
    /// <exception cref="ShapeException">A tensor differs in shape or element type.</exception>
    public static IReadOnlyList<AttentionPartGradients> MergeBackward(IEngine engine,
        IReadOnlyList<AttentionResult> parts, AttentionResult merged, Tensor outputGradient,
        Tensor? logSumExpGradient = null)
    {
        const string operation = $"{nameof(SparseAttention)}.{nameof(MergeBackward)}";
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(merged);
        ArgumentNullException.ThrowIfNull(outputGradient);
        var output = CheckParts(operation, [.. parts, merged]).Output;
        AttentionRules.CheckLike(operation, nameof(outputGradient), outputGradient, output);
        AttentionRules.CheckStatistics(operation, nameof(logSumExpGradient), logSumExpGradient, output);
        var gradients = new AttentionPartGradients[parts.Count];
        for (int p = 0; p < gradients.Length; p++)
        {
            gradients[p] = new AttentionPartGradients(engine.Allocate(output.Shape, output.ElementType),
                engine.Allocate(merged.LogSumExp.Shape, merged.LogSumExp.ElementType));
            if (output.Count > 0)
                engine.MergePartitionBackward(new MergeBackwardArguments(parts[p].Output, parts[p].LogSumExp,
                    merged.Output, merged.LogSumExp, outputGradient, logSumExpGradient,
                    gradients[p].Output, gradients[p].LogSumExp));
        }
        return gradients;
    }

    /// <summary>1 / sqrt(D).</summary>
    internal static float DefaultScale(int headDim) => (float)(1 / Math.Sqrt(headDim));

    private static AttentionResult CheckParts(string operation, IReadOnlyList<AttentionResult> parts)
    {
        if (parts.Count == 0)
            throw new ArgumentException($"{operation}: there are no parts");
        var first = parts[0];
        foreach (var part in parts)
        {
            AttentionRules.CheckLike(operation, nameof(part.Output), part.Output, first.Output);
            AttentionRules.CheckStatistics(operation, nameof(part.LogSumExp), part.LogSumExp, first.Output);
            if (part.Scale != first.Scale)
                throw new ArgumentException($"{operation}: parts have scales {first.Scale} and {part.Scale}");
            if (!SequenceBatch.HaveSameQueries(part.Sequences, first.Sequences))
                throw new ArgumentException($"{operation}: the sequences of the parts have different query rows");
        }
        return first;
    }

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
