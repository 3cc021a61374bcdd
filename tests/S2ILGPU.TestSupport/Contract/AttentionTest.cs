using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>Base of the attention tests: the operands of an <see cref="AttentionCase"/>, forward and
/// backward.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="type">Element type of queries, keys, values, outputs and their gradients; null for the engine's
/// own.</param>
public abstract class AttentionTest(Func<IEngine> create, ElementType? type) : EngineTest(create)
{
    /// <summary>Element type of queries, keys, values, outputs and their gradients.</summary>
    protected ElementType Type => type ?? Tested.FloatType;

    /// <summary>Checks the forward pass of a case and lets go of its operands.</summary>
    protected void CheckForward(AttentionCase problem)
    {
        var (query, key, value) = Inputs(problem);
        string damage = Damage(problem, (query, true), (key, false), (value, false));
        var output = Result("output", problem, isQuery: true);
        var logSumExp = problem.WithLogSumExp ? Output("log-sum-exp", LogSumExpShape(problem)) : null;
        if (logSumExp is not null)
            logSumExp.Tolerance = ToleranceOf(Tolerance.Forward(Type).Relative, problem);
        Unwritten(problem, output, logSumExp);
        var (layout, layouts, sequences) = (problem.Layout(), problem.Layouts(), problem.Sequences());
        Check(problem + damage, ToleranceOf(Tolerance.Forward(Type), problem), e =>
            e.Engine.AttentionForward(new AttentionForwardArguments(
            e[query], e[key], e[value], e[output], e.Optional(logSumExp), layout, sequences, problem.Scale,
                Layouts: layouts)));
        Release();
    }

    /// <summary>Checks the backward pass of a case, given the exact output and log-sum-exp, and lets go of its
    /// operands.</summary>
    protected void CheckBackward(AttentionCase problem)
    {
        var (query, key, value) = Inputs(problem);
        var (output, outputGradient) = (Result("output", problem, isQuery: true), Result("dO", problem, isQuery: true));
        var (queryGradient, keyGradient, valueGradient) =
            (Result("dQ", problem, true), Result("dK", problem, false), Result("dV", problem, false));
        var logSumExp = Output("log-sum-exp", LogSumExpShape(problem));
        var logSumExpGradient = problem.WithLogSumExp ? Normal("dLSE", logSumExp.Shape) : null;
        var (layout, sequences) = (problem.Layout(), problem.Sequences());
        outputGradient.Values = Random.Normal(outputGradient.Shape.Count);
        string damage = Damage(problem, (query, true), (key, false), (value, false), (outputGradient, true));
        Unwritten(problem, queryGradient, keyGradient, valueGradient);
        foreach (var operand in (TestTensor[])[query, key, value])
            operand.Values = [.. operand.Values.Select(x => ElementRounding.Round(x, Type))];
        using (var exact = new ReferenceEngine())
            exact.AttentionForward(new AttentionForwardArguments(query.Reference, key.Reference, value.Reference,
                output.Reference, logSumExp.Reference,
                layout, sequences, problem.Scale));
        foreach (var operand in (TestTensor[])[output, outputGradient])
            PoisonPadding(operand, problem, isQuery: true);
        Check(problem + damage + ", backward", ToleranceOf(Tolerance.Backward(Type), problem), e =>
            e.Engine.AttentionBackward(new AttentionBackwardArguments(
            e[query], e[key], e[value], e[output], e[logSumExp], e[outputGradient], e.Optional(logSumExpGradient),
            e[queryGradient], e[keyGradient], e[valueGradient], layout, sequences, problem.Scale)));
        Release();
    }

    // An element that a call leaves out must not pass for a NaN that is expected.
    private static void Unwritten(AttentionCase problem, params ReadOnlySpan<TestTensor?> results)
    {
        foreach (var result in results)
            if (problem.Damages > 0 && result is not null)
                result.Values = [.. Enumerable.Repeat(-77.0, (int)result.Shape.Count)];
    }

    private static Tolerance ToleranceOf(Tolerance tolerance, AttentionCase problem) =>
        tolerance.Times(problem.Conditioning) with { NaNMatches = problem.Damages > 0 };

    // Makes random elements of rows that belong to a sequence NaN or infinite, and says which.
    private string Damage(AttentionCase problem, params (TestTensor Operand, bool IsQuery)[] operands)
    {
        var text = new System.Text.StringBuilder();
        for (int n = 0; n < problem.Damages; n++)
        {
            var (operand, isQuery) = operands[Random.Next(operands.Length)];
            bool[] isUsed = UsedRows(operand, problem, isQuery);
            int[] rows = [.. Enumerable.Range(0, isUsed.Length).Where(row => isUsed[row])];
            if (rows.Length == 0)
                continue;
            int width = operand.Shape[2] * operand.Shape[3], at = rows[Random.Next(rows.Length)] * width
                + Random.Next(width);
            var values = operand.Values;
            values[at] = Random.Pick(double.NaN, double.PositiveInfinity, double.NegativeInfinity);
            operand.Values = values;
            text.Append($", {operand.Name} {MaximumError.IndexText(operand.Shape, at)} = {values[at]}");
        }
        return text.ToString();
    }

    private (TestTensor Query, TestTensor Key, TestTensor Value) Inputs(AttentionCase problem)
    {
        int h = problem.QueryHeads, kv = problem.KeyValueHeads;
        TestTensor query, key, value;
        if (problem.Order == MemoryOrder.PackedQueryKeyValue)
        {
            var packed = Whole("packed QKV", problem, problem.KeyRows, h + 2 * kv);
            (query, key, value) = (Heads(packed, 0, h), Heads(packed, h, kv), Heads(packed, h + kv, kv));
        }
        else if (problem.Order == MemoryOrder.PackedKeyValue)
        {
            var packed = Whole("packed KV", problem, problem.KeyRows, 2 * kv);
            (query, key, value) = (Whole("query", problem, problem.QueryRows, h), Heads(packed, 0, kv),
                Heads(packed, kv, kv));
        }
        else
            (query, key, value) = (Result("query", problem, true), Result("key", problem, false),
                Result("value", problem, false));
        query.Values = Random.Normal(query.Shape.Count, problem.Magnitude);
        key.Values = Random.Normal(key.Shape.Count, problem.Magnitude);
        value.Values = Random.Normal(value.Shape.Count);
        PoisonPadding(query, problem, isQuery: true);
        PoisonPadding(key, problem, isQuery: false);
        PoisonPadding(value, problem, isQuery: false);
        return (query, key, value);
    }

    // A tensor of its own, full of NaN, [B, N, heads, D] or [B, heads, N, D] seen as such.
    private TestTensor Result(string name, AttentionCase problem, bool isQuery)
    {
        var (rows, heads) = isQuery ? (problem.QueryRows, problem.QueryHeads)
            : (problem.KeyRows, problem.KeyValueHeads);
        return problem.Order == MemoryOrder.HeadMajor
            ? View(Output(name, new Shape(problem.BatchExtent, heads, rows, problem.HeadDim), Type), t =>
            t.Permute(0, 2, 1, 3))
            : Whole(name, problem, rows, heads);
    }

    private TestTensor Whole(string name, AttentionCase problem, int rows, int heads) =>
        Output(name, new Shape(problem.BatchExtent, rows, heads, problem.HeadDim), Type);

    private TestTensor Heads(TestTensor packed, int start, int count) => View(packed, t => t.Slice(2, start, count));

    private static Shape LogSumExpShape(AttentionCase problem) =>
        new(problem.BatchExtent, problem.QueryHeads, problem.QueryRows);

    private static bool[] UsedRows(TestTensor operand, AttentionCase problem, bool isQuery)
    {
        int rows = operand.Shape[1];
        var isUsed = new bool[operand.Shape[0] * rows];
        foreach (var s in problem.Sequences().Sequences)
            isUsed.AsSpan(s.Batch * rows + (isQuery ? s.QueryStart : s.KeyStart), isQuery ? s.QueryCount : s.KeyCount)
                .Fill(true);
        return isUsed;
    }

    // Rows that belong to no sequence become NaN: they must neither be read into a result nor break it.
    private static void PoisonPadding(TestTensor operand, AttentionCase problem, bool isQuery)
    {
        int rowElements = operand.Shape[2] * operand.Shape[3];
        bool[] isUsed = UsedRows(operand, problem, isQuery);
        var values = operand.Values;
        for (int row = 0; row < isUsed.Length; row++)
            if (!isUsed[row])
                values.AsSpan(row * rowElements, rowElements).Fill(double.NaN);
        operand.Values = values;
    }
}
