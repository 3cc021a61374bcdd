using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify;

/// <summary>A problem with its exact results.</summary>
internal sealed class SolvedProblem
{
    public SolvedProblem(AttentionProblem problem, bool hasGradients)
    {
        Problem = problem;
        Reference = new AttentionReference(problem);
        Output = HostTensor.Rounded(problem.Query.Shape, problem.Query.Type, Reference.Output);
        if (hasGradients)
            Gradients = Reference.Backward(Output);
    }

    public AttentionProblem Problem { get; }

    public AttentionReference Reference { get; }

    /// <summary>The exact output rounded to the type of the query, which the backward pass reads.</summary>
    public HostTensor Output { get; }

    /// <summary>The exact dQ, dK and dV; empty when not asked for.</summary>
    public (double[] Query, double[] Key, double[] Value) Gradients { get; } = ([], [], []);
}

/// <summary>Runs one implementation on one problem, twice, and measures its errors.</summary>
internal sealed class VariantCheck : IDisposable
{
    private readonly IEngine _engine;
    private readonly SolvedProblem _solved;
    private readonly List<Tensor> _tensors = [];
    private readonly List<(string Name, Tensor Tensor, Tolerance Tolerance, double[] Exact)> _results = [];

    private VariantCheck(IEngine engine, SolvedProblem solved) => (_engine, _solved) = (engine, solved);

    private AttentionProblem Problem => _solved.Problem;

    /// <summary>The worst element of each result; null when the engine took another implementation.</summary>
    /// <exception cref="InvalidOperationException">A second run gave other bits.</exception>
    public static IReadOnlyList<WorstError>? Run(EngineVariant variant, SolvedProblem solved)
    {
        using var check = new VariantCheck(variant.Engine, solved);
        using var forced = variant.Force?.Invoke();
        Action pass = variant.Pass switch
        {
            CheckedPass.Forward or CheckedPass.Decode => check.Forward(),
            CheckedPass.Merge => check.Merge(),
            _ => check.Backward(variant.Pass),
        };
        float[][] first = check.Values(pass), second = check.Values(pass);
        if (variant.IsUsed is { } isUsed && !isUsed())
            return null;
        for (int r = 0; r < first.Length; r++)
            for (int n = 0; n < first[r].Length; n++)
                if (BitConverter.SingleToInt32Bits(first[r][n]) != BitConverter.SingleToInt32Bits(second[r][n]))
                    throw new InvalidOperationException(
                        $"not deterministic: element {n} of {check._results[r].Name} is {first[r][n]:g9} and then "
                        + $"{second[r][n]:g9}");
        return [.. check._results.Select((r, n) =>
            WorstError.Of(r.Name, r.Tensor.Shape, r.Tolerance, r.Exact, first[n]))];
    }

    public void Dispose()
    {
        for (int n = _tensors.Count - 1; n >= 0; n--)
            _tensors[n].Dispose();
    }

    private Action Forward()
    {
        var p = Problem;
        var (query, key, value) = Inputs();
        var output = Result("output", p.Query.Shape, p.Query.Type, Tolerance.Output(p.Query.Type),
            _solved.Reference.Output);
        var logSumExp = Result("log-sum-exp", p.LogSumExpShape, ElementType.Float32, Tolerance.LogSumExp(p.Query.Type),
            _solved.Reference.LogSumExp);
        return () =>
            _engine.AttentionForward(new AttentionForwardArguments(query, key, value, output, logSumExp, p.Layout,
            p.Sequences, p.Scale, p.Pages, p.TailLayouts));
    }

    private Action Backward(CheckedPass pass)
    {
        var p = Problem;
        var (query, key, value) = Inputs();
        var exact = _solved.Gradients;
        var output = Upload(_solved.Output);
        var logSumExp = Upload(HostTensor.Rounded(p.LogSumExpShape, ElementType.Float32, _solved.Reference.LogSumExp));
        var outputGradient = Upload(p.OutputGradient);
        var logSumExpGradient = p.LogSumExpGradient is { } given ? Upload(given) : null;
        bool hasQuery = pass != CheckedPass.KeyValueGradients, hasKeys = pass != CheckedPass.QueryGradient;
        var queryGradient = Gradient("dQ", p.Query, exact.Query, hasQuery);
        var keyGradient = Gradient("dK", p.Key, exact.Key, hasKeys);
        var valueGradient = Gradient("dV", p.Value, exact.Value, hasKeys);
        return () =>
            _engine.AttentionBackward(new AttentionBackwardArguments(query, key, value, output, logSumExp,
            outputGradient, logSumExpGradient,
            queryGradient, keyGradient, valueGradient, p.Layout, p.Sequences, p.Scale));
    }

    // Three partitions of which each row may see any: O and LSE are random, a part that kept nothing has LSE = -inf.
    private Action Merge()
    {
        const int Parts = 3;
        var (shape, type) = (Problem.Query.Shape, Problem.Query.Type);
        var random = new Random(Problem.PartitionSeed);
        var outputs = new HostTensor[Parts];
        var logSumExps = new HostTensor[Parts];
        for (int part = 0; part < Parts; part++)
        {
            (outputs[part], logSumExps[part]) = (HostTensor.Normal(random, shape, type),
                HostTensor.Normal(random, Problem.LogSumExpShape, ElementType.Float32));
            for (int n = 0; n < logSumExps[part].Values.Length; n++)
                if (n % 4 == part || n % 5 == 0)
                    logSumExps[part].Values[n] = float.NegativeInfinity;
        }
        var (exactOutput, exactLogSumExp) = MergeReference.Merge(outputs, logSumExps);
        Tensor[] parts = [.. outputs.Select(Upload)], statistics = [.. logSumExps.Select(Upload)];
        var output = Result("output", shape, type, Tolerance.Output(type), exactOutput);
        var logSumExp = Result("log-sum-exp", Problem.LogSumExpShape, ElementType.Float32, Tolerance.LogSumExp(type),
            exactLogSumExp);
        return () => _engine.MergePartitions(parts, statistics, output, logSumExp);
    }

    private (Tensor Query, Tensor Key, Tensor Value) Inputs()
    {
        var p = Problem;
        if (p.Key.Type == ElementType.Int8)
            return (Upload(p.Query), WrittenPages(p.KeyRows), WrittenPages(p.ValueRows));
        if (p.KeyPages is not null)
            return (Upload(p.Query), Upload(p.KeyPages), Upload(p.ValuePages!));
        if (!p.Case.IsFused || p.Query.Type != p.Key.Type)
            return (Upload(p.Query), Upload(p.Key), Upload(p.Value));
        int heads = p.Case.QueryHeads, keyValueHeads = p.Case.KeyValueHeads;
        var fused = Own(_engine.Allocate(p.Query.Shape.With(2, heads + 2 * keyValueHeads), p.Query.Type));
        return (UploadInto(fused, 0, p.Query), UploadInto(fused, heads, p.Key),
            UploadInto(fused, heads + keyValueHeads, p.Value));
    }

    // Both results of a run, from memory full of NaN, so that what is not written is seen.
    private float[][] Values(Action pass)
    {
        foreach (var (_, tensor, _, _) in _results)
            _engine.Fill(tensor, float.NaN);
        pass();
        return [.. _results.Select(r => _engine.ToArray(r.Tensor))];
    }

    private Tensor Gradient(string name, HostTensor like, double[] exact, bool isChecked) => isChecked
        ? Result(name, like.Shape, like.Type, Tolerance.Gradient(like.Type), exact)
        : Allocate(like.Shape, like.Type);

    private Tensor Result(string name, Shape shape, ElementType type, Tolerance tolerance, double[] exact)
    {
        var tensor = Allocate(shape, type);
        _results.Add((name, tensor, tolerance, exact));
        return tensor;
    }

    private Tensor Upload(HostTensor host)
    {
        var tensor = Allocate(host.Shape, host.Type);
        _engine.Upload(host.Values, tensor);
        return tensor;
    }

    // Only the engine knows where a page keeps its scales.
    private Tensor WrittenPages(HostTensor rows)
    {
        var p = Problem;
        var pages = Own(_engine.Allocate(PageTable.PagesShape(p.KeyPages!.Shape[0], p.Case.BlockTokens, rows.Shape[3],
            ElementType.Int8), ElementType.Int8));
        using var source = _engine.Allocate(rows.Shape, _engine.FloatType);
        _engine.Upload(rows.Values, source);
        _engine.WritePages(source, pages, p.Pages!, new SequenceBatch([.. p.Sequences.Sequences.ToArray()
            .Select(s => new Sequence(s.Batch, s.KeyStart, s.KeyCount, s.KeyStart, s.KeyCount))]));
        return pages;
    }

    private Tensor UploadInto(Tensor fused, int firstHead, HostTensor host)
    {
        var heads = Own(fused.Slice(2, firstHead, host.Shape[2]));
        _engine.Upload(host.Values, heads);
        return heads;
    }

    // With one element between the rows, which keeps every second one from an even place.
    private Tensor Allocate(Shape shape, ElementType type) => Problem.Case.IsMisaligned && shape.Rank == 4
        ? Own(Own(_engine.Allocate(shape.With(3, shape[3] + 1), type)).Slice(3, 1, shape[3]))
        : Own(_engine.Allocate(shape, type));

    private Tensor Own(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }
}
