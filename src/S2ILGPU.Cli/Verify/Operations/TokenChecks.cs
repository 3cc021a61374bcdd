using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Embedding and cross-entropy: the row operations that read token ids.</summary>
internal static class TokenChecks
{
    public static IEnumerable<OperationCheck> Of(ElementType type, ElementType floatType)
    {
        foreach (var table in (ElementType[])[floatType, ElementType.BFloat16, ElementType.Float16])
            yield return new(nameof(IEngine.Embedding), type, $"table {table}", (p, size) =>
                Embedding(p, size, type, table));
        foreach (bool accumulate in (bool[])[false, true])
            yield return new(nameof(IEngine.EmbeddingBackward), type, accumulate ? "added" : "", (p, size) =>
                EmbeddingBackward(p, size, type, floatType, accumulate));
    }

    /// <summary>Logits and losses have the float type whatever activations are.</summary>
    public static IEnumerable<OperationCheck> OfLosses(ElementType type)
    {
        yield return new(nameof(IEngine.SoftmaxCrossEntropy), type, "", (p, size) => CrossEntropy(p, size, type));
        foreach (string form in (string[])["", "added", "over the logits"])
            yield return new(nameof(IEngine.SoftmaxCrossEntropyBackward), type, form, (p, size) =>
                CrossEntropyBackward(p, size, type, form));
    }

    private static Action Embedding(OperationProblem p, Extents size, ElementType type, ElementType tableType)
    {
        int columns = size.Columns;
        var table = p.Normal(new Shape(size.Inner, columns), tableType);
        int[] ids = Ids(p, size.Rows, size.Inner);
        double[] exact = [.. ids.SelectMany(id => table.Values[(id * columns)..((id + 1) * columns)])];
        var y = p.Result("y", new Shape(size.Rows, columns), type, exact);
        var tokens = p.Integers(ids, new Shape(size.Rows));
        return () => p.Engine.Embedding(table.Tensor, tokens, y);
    }

    private static Action EmbeddingBackward(OperationProblem p, Extents size, ElementType type, ElementType floatType,
        bool accumulate)
    {
        int columns = size.Columns;
        var dy = p.Normal(new Shape(size.Rows, columns), type);
        int[] ids = Ids(p, size.Rows, size.Inner);
        var exact = new double[size.Inner * columns];
        for (int n = 0; n < dy.Values.Length; n++)
            exact[ids[n / columns] * columns + n % columns] += dy.Values[n];
        var dtable = p.Gradient("dtable", new Shape(size.Inner, columns), floatType, exact, accumulate);
        var tokens = p.Integers(ids, new Shape(size.Rows));
        return () => p.Engine.EmbeddingBackward(tokens, dy.Tensor, dtable);
    }

    private static Action CrossEntropy(OperationProblem p, Extents size, ElementType type)
    {
        p.HasWideRows = true;
        var logits = p.Normal(new Shape(size.Rows, size.Columns), type, 4);
        int[] targets = Targets(p, size);
        double[] lse = LogSumExps(logits, size);
        double[] exact = [.. targets.Select((target, t) =>
            target < 0 ? 0 : lse[t] - logits.Values[t * size.Columns + target])];
        Tensor losses = p.Result("losses", new Shape(size.Rows), type, exact),
            logSumExp = p.Result("log-sum-exp", new Shape(size.Rows), type, lse);
        var ids = p.Integers(targets, new Shape(size.Rows));
        return () => p.Engine.SoftmaxCrossEntropy(logits.Tensor, ids, losses, logSumExp);
    }

    private static Action CrossEntropyBackward(OperationProblem p, Extents size, ElementType type, string form)
    {
        p.HasWideRows = true;
        int columns = size.Columns;
        Operand logits = p.Normal(new Shape(size.Rows, columns), type, 4),
            dlosses = p.Normal(new Shape(size.Rows), type),
            lse = p.Given(HostTensor.Rounded(new Shape(size.Rows), type, LogSumExps(logits, size)));
        int[] targets = Targets(p, size);
        double[] exact = [.. logits.Values.Select((x, n) => targets[n / columns] < 0 ? 0
            : dlosses.Values[n / columns] * (Math.Exp(x - lse.Values[n / columns])
                - (n % columns == targets[n / columns] ? 1 : 0)))];
        var ids = p.Integers(targets, new Shape(size.Rows));
        if (form != "over the logits")
        {
            var dlogits = p.Gradient("dlogits", logits.Tensor.Shape, type, exact, accumulate: form.Length > 0);
            return () => p.Engine.SoftmaxCrossEntropyBackward(logits.Tensor, ids, lse.Tensor, dlosses.Tensor, dlogits);
        }
        var over = p.Result("dlogits", logits.Tensor.Shape, type, exact, logits.Values);
        return () => p.Engine.SoftmaxCrossEntropyBackward(over, ids, lse.Tensor, dlosses.Tensor,
            GradientTarget.Into(over));
    }

    private static double[] LogSumExps(Operand logits, Extents size) => [.. logits.Values.Chunk(size.Columns)
        .Select(row => row.Max() + Math.Log(row.Sum(x => Math.Exp(x - row.Max()))))];

    private static int[] Ids(OperationProblem p, int count, int vocabulary) =>
        [.. Enumerable.Range(0, count).Select(_ => p.Random.Next(vocabulary))];

    // Every fourth row is ignored.
    private static int[] Targets(OperationProblem p, Extents size) =>
        [.. Ids(p, size.Rows, size.Columns).Select((id, t) => t % 4 == 3 ? -1 : id)];
}
