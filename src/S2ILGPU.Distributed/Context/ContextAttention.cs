using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Context;

/// <summary>Attention of one layer whose keys and values lie on several ranks.</summary>
/// <remarks>Forward: keys and values that other ranks keep are sent; each chunk meets the keys of its rank meanwhile,
/// the others when they have come, and the two are merged by their log-sum-exps. Backward: first the gradients of what
/// was received, which go back the same way while the own ones are computed, and are added after those in the order of
/// the ranks. Rows are gathered and added with the engine's embedding, so no kernel is needed for it.</remarks>
/// <param name="group">The ranks.</param>
/// <param name="rows">The lists of the layer.</param>
/// <param name="query">Q [B, n, H, D].</param>
/// <param name="key">K [B, n, Hkv, D].</param>
/// <param name="value">V [B, n, Hkv, D].</param>
/// <param name="scale">Factor of the scores.</param>
internal sealed class ContextAttention(ICollective group, ContextRows rows, Variable query, Variable key,
    Variable value, float scale)
{
    private readonly int _headDim = query.Shape[3], _batch = query.Shape[0];
    private readonly List<Tensor> _logSumExps = []; // of all keys, by chunk
    private Tensor? _table;

    private ElementType Type => query.Value.ElementType;

    /// <summary>The attention, and its gradient where one is needed.</summary>
    public Variable Run(Tape tape)
    {
        var output = tape.New(query.Shape);
        bool needed = tape.Needs(query, key, value);
        var table = needed ? tape.NewTensor(TableShape, Type) : tape.Engine.Allocate(TableShape, Type);
        foreach (var chunk in rows.Chunks)
            _logSumExps.Add(needed ? tape.NewTensor(StatisticShape(chunk))
                : tape.Engine.Allocate(StatisticShape(chunk), tape.Engine.FloatType));
        Forward(tape.Engine, table, output.Value);
        if (needed)
        {
            _table = table;
            tape.Record(output, () => Backward(tape, output));
            return output;
        }
        table.Dispose();
        foreach (var logSumExp in _logSumExps)
            logSumExp.Dispose();
        return output;
    }

    private Shape TableShape => new(rows.OwnRows + rows.ReceiveCounts.Sum(), _headDim);

    private Shape StatisticShape(ContextChunkRows chunk) => new(_batch, query.Shape[2], chunk.Queries);

    private void Forward(IEngine engine, Tensor table, Tensor output)
    {
        using Tensor own = table.Slice(0, 0, rows.OwnRows), received = Received(table),
            sent = engine.Allocate(new Shape(rows.SentRows.Length, _headDim), Type);
        using (Tensor keys = Half(table, 0), values = Half(table, 1))
        {
            engine.Copy(key.Value, keys);
            engine.Copy(value.Value, values);
        }
        Gather(engine, own, rows.SentRows, sent);
        var exchange = group.AllToAll(sent, Elements(rows.SendCounts), received, Elements(rows.ReceiveCounts));
        foreach (var (chunk, logSumExp) in rows.Chunks.Zip(_logSumExps))
        {
            using var result = Queries(output, chunk);
            Attend(engine, chunk, chunk.Own, table, result, logSumExp);
            exchange.Poll();
        }
        exchange.Wait();
        foreach (var (chunk, logSumExp) in rows.Chunks.Zip(_logSumExps))
            if (chunk.Others is { } others)
                MergeOthers(engine, chunk, others, table, output, logSumExp);
    }

    private void MergeOthers(IEngine engine, ContextChunkRows chunk, ContextKeys others, Tensor table, Tensor output,
        Tensor logSumExp)
    {
        using Tensor result = Queries(output, chunk), own = engine.Allocate(result.Shape, Type),
            other = engine.Allocate(result.Shape, Type),
            ownStatistic = engine.Allocate(logSumExp.Shape, logSumExp.ElementType),
            otherStatistic = engine.Allocate(logSumExp.Shape, logSumExp.ElementType);
        engine.Copy(result, own);
        engine.Copy(logSumExp, ownStatistic);
        Attend(engine, chunk, others, table, other, otherStatistic);
        engine.MergePartitions([own, other], [ownStatistic, otherStatistic], result, logSumExp);
    }

    private void Attend(IEngine engine, ContextChunkRows chunk, ContextKeys chosen, Tensor table, Tensor result,
        Tensor logSumExp)
    {
        using Tensor keys = Compact(engine, chosen, chosen.KeyRows, table),
            values = Compact(engine, chosen, chosen.ValueRows, table), queries = Queries(query.Value, chunk);
        engine.AttentionForward(new AttentionForwardArguments(queries, keys, values, result, logSumExp, chosen.Layout,
            Sequences(chunk, chosen), scale));
    }

    private void Backward(Tape tape, Variable output)
    {
        var engine = tape.Engine;
        using Tensor queryGradient = engine.Allocate(query.Shape, Type),
            tableGradient = engine.Allocate(TableShape, engine.FloatType),
            computed = Received(tableGradient), own = tableGradient.Slice(0, 0, rows.OwnRows),
            sent = engine.Allocate(computed.Shape, Type),
            received = engine.Allocate(new Shape(rows.SentRows.Length, _headDim), Type);
        engine.Fill(tableGradient, 0);
        Tensor?[] dOthers = [.. rows.Chunks.Zip(_logSumExps, (chunk, logSumExp) => chunk.Others is { } others
            ? Backward(engine, chunk, others, logSumExp, output, tableGradient) : null)];
        // What this rank has computed for others goes to them, in the type in which the rows came.
        engine.Copy(computed, sent);
        var exchange = group.AllToAll(sent, Elements(rows.ReceiveCounts), received, Elements(rows.SendCounts));
        for (int i = 0; i < rows.Chunks.Length; i++)
        {
            var chunk = rows.Chunks[i];
            using var dOwn = Backward(engine, chunk, chunk.Own, _logSumExps[i], output, tableGradient);
            using (var dOther = dOthers[i])
                if (dOther is not null)
                    engine.AddScaled(dOther, 1, dOwn);
            using var dQueries = Queries(queryGradient, chunk);
            engine.Copy(dOwn, dQueries);
            exchange.Poll();
        }
        exchange.Wait();
        Scatter(engine, received, rows.SentRows, own);
        tape.GiveGradient(query, queryGradient);
        Give(tape, key, Half(tableGradient, 0));
        Give(tape, value, Half(tableGradient, 1));
    }

    // dQ over some keys; what they get is added to the table.
    private Tensor Backward(IEngine engine, ContextChunkRows chunk, ContextKeys chosen, Tensor logSumExp,
        Variable output, Tensor tableGradient)
    {
        using Tensor keys = Compact(engine, chosen, chosen.KeyRows, _table!),
            values = Compact(engine, chosen, chosen.ValueRows, _table!),
            queries = Queries(query.Value, chunk), result = Queries(output.Value, chunk),
            resultGradient = Queries(output.Gradient!, chunk),
            dKeys = engine.Allocate(keys.Shape, Type), dValues = engine.Allocate(values.Shape, Type);
        var dQueries = engine.Allocate(queries.Shape, Type);
        engine.AttentionBackward(new AttentionBackwardArguments(queries, keys, values, result, logSumExp,
            resultGradient, null, dQueries, dKeys, dValues, chosen.Layout, Sequences(chunk, chosen), scale));
        Scatter(engine, dKeys, chosen.KeyRows, tableGradient);
        Scatter(engine, dValues, chosen.ValueRows, tableGradient);
        return dQueries;
    }

    private static void Give(Tape tape, Variable variable, Tensor gradient)
    {
        using var stored = tape.Engine.Allocate(variable.Shape, variable.Value.ElementType);
        using (gradient)
            tape.Engine.Copy(gradient, stored);
        tape.GiveGradient(variable, stored);
    }

    private SequenceBatch Sequences(ContextChunkRows chunk, ContextKeys chosen) =>
        SequenceBatch.Uniform(_batch, chunk.Queries, chosen.Count);

    private int[] Elements(int[] counts) => [.. counts.Select(count => count * _headDim)];

    private Tensor Received(Tensor table) =>
        table.Slice(0, rows.OwnRows, table.Shape[0] - rows.OwnRows);

    // Keys (0) or values (1) of this rank as [B, n, Hkv, D].
    private Tensor Half(Tensor table, int kind)
    {
        using var half = table.Slice(0, kind * rows.OwnRows / 2, rows.OwnRows / 2);
        return half.Reshape(key.Shape);
    }

    private static Tensor Queries(Tensor all, ContextChunkRows chunk) =>
        all.Slice(1, chunk.FirstRow, chunk.Queries);

    private Tensor Compact(IEngine engine, ContextKeys chosen, int[] chosenRows, Tensor table)
    {
        using var gathered = engine.Allocate(new Shape(chosenRows.Length, _headDim), Type);
        Gather(engine, table, chosenRows, gathered);
        return gathered.Reshape(new Shape(_batch, chosen.Count, key.Shape[2], _headDim));
    }

    private static void Gather(IEngine engine, Tensor table, int[] chosen, Tensor gathered)
    {
        if (chosen.Length == 0)
            return;
        using var ids = engine.FromArray(chosen);
        engine.Embedding(table, ids, gathered);
    }

    private void Scatter(IEngine engine, Tensor gradient, int[] chosen, Tensor table)
    {
        if (chosen.Length == 0)
            return;
        using var ids = engine.FromArray(chosen);
        using var gradientRows = gradient.Reshape(new Shape(chosen.Length, _headDim));
        engine.EmbeddingBackward(ids, gradientRows, GradientTarget.AddTo(table));
    }
}
