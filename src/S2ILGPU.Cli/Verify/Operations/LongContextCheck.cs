using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Sparse attention over 128K tokens, where offsets no longer fit into few bits: a sample of the rows is
/// compared with float64.</summary>
/// <remarks>Rows of the inputs repeat after a prime number of them, so the host needs little memory, and an offset that
/// was cut off at a power of two meets other values.</remarks>
/// <param name="engine">The engine.</param>
/// <param name="heads">H.</param>
/// <param name="keyValueHeads">Hkv.</param>
/// <param name="headDim">D.</param>
/// <param name="tokens">N, a multiple of 64.</param>
internal sealed class LongContextCheck(IEngine engine, int heads, int keyValueHeads, int headDim, int tokens)
{
    private const int Period = 4099, BlockTokens = 64, LocalBlocks = 8, VerticalStride = 64, RandomRows = 24;
    private const double UsableMemory = 0.6;

    private readonly LocalStridePattern _pattern =
        new(heads, keyValueHeads, BlockTokens, LocalBlocks, VerticalStride);

    /// <summary>Its name in a report.</summary>
    public string Name => $"{nameof(IEngine.AttentionForward)}, {tokens / 1024}K tokens, sampled";

    /// <summary>The check of a device; null where threads are emulated, which would take hours.</summary>
    public static LongContextCheck? For(IEngine engine, DeviceInfo device)
    {
        const int Tokens = 128 * 1024;
        LongContextCheck small = new(engine, 2, 1, 64, Tokens), large = new(engine, 64, 4, 128, Tokens);
        return device.Kind switch
        {
            DeviceKind.Emulated => null,
            DeviceKind.Cpu => small,
            _ => large.Bytes < device.MemoryBytes * UsableMemory ? large : small,
        };
    }

    // Q, O, K and V in 4 bytes.
    private double Bytes => 4.0 * tokens * headDim * (2 * heads + 2 * keyValueHeads);

    /// <summary>Runs it.</summary>
    /// <param name="type">Element type of queries, keys, values and outputs.</param>
    /// <param name="seed">Seed of inputs and rows.</param>
    public OperationResult Run(ElementType type, int seed)
    {
        var result = new OperationResult(Name, type, 0, null, "", null);
        try
        {
            var (worst, rows) = Worst(type, new Random(seed));
            return result with { Cases = rows, Worst = worst, WorstCase = $"H{heads}/{keyValueHeads} D{headDim}" };
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return result with { Failure = $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}" };
        }
    }

    private (WorstError Worst, int Rows) Worst(ElementType type, Random random)
    {
        HostTensor query = Rows(random, heads, type), key = Rows(random, keyValueHeads, type),
            value = Rows(random, keyValueHeads, type);
        using Tensor q = Repeated(query), k = Repeated(key), v = Repeated(value),
            o = engine.Allocate(q.Shape, type),
            lse = engine.Allocate(new Shape(1, heads, tokens), ElementType.Float32);
        engine.Fill(o, float.NaN);
        float scale = (float)(1 / Math.Sqrt(headDim));
        engine.AttentionForward(new AttentionForwardArguments(q, k, v, o, lse, BlockLayout.Create(_pattern, tokens),
            SequenceBatch.Uniform(1, tokens, tokens), scale));
        int[] rows = [0, 1, BlockTokens - 1, BlockTokens, tokens / 2 - 1, tokens / 2, tokens - BlockTokens, tokens - 1,
            .. Enumerable.Range(0, RandomRows).Select(_ => random.Next(tokens))];
        var (exact, exactLse) = (new double[rows.Length * heads * headDim], new double[rows.Length * heads]);
        Parallel.For(0, rows.Length * heads, n => exactLse[n] = Row(query, key, value, rows[n / heads], n % heads,
            scale, exact.AsSpan(n * headDim, headDim)));
        var actual = rows.SelectMany(row => Values(o, 1, row)).ToArray();
        var actualLse = rows.SelectMany(row => Values(lse, 2, row)).ToArray();
        WorstError[] errors =
        [
            WorstError.Of("sampled output", new Shape(rows.Length, heads, headDim), Tolerance.Output(type), exact,
                actual),
            WorstError.Of("sampled log-sum-exp", new Shape(rows.Length, heads), Tolerance.LogSumExp(type), exactLse,
                actualLse),
        ];
        return (errors.MaxBy(e => e.OfLimit)!, rows.Length);
    }

    // s_j = scale q k_j, lse = ln sum_j exp(s_j), o = sum_j exp(s_j - lse) v_j; returns lse.
    private double Row(HostTensor query, HostTensor key, HostTensor value, int row, int head, float scale,
        Span<double> output)
    {
        int keyValueHead = head / (heads / keyValueHeads);
        var q = Slice(query, row, head, heads);
        var scores = new List<(int Key, double Score)>();
        for (int block = 0; block * BlockTokens <= row; block++)
            if (_pattern.Keeps(_pattern.PatternHeadOf(head), row / BlockTokens, block))
                for (int j = block * BlockTokens; j < Math.Min((block + 1) * BlockTokens, row + 1); j++)
                {
                    double sum = 0;
                    var k = Slice(key, j, keyValueHead, keyValueHeads);
                    for (int d = 0; d < headDim; d++)
                        sum += (double)q[d] * k[d];
                    scores.Add((j, sum * scale));
                }
        double max = scores.Max(s => s.Score), lse = max + Math.Log(scores.Sum(s => Math.Exp(s.Score - max)));
        foreach (var (j, score) in scores)
        {
            var v = Slice(value, j, keyValueHead, keyValueHeads);
            for (int d = 0; d < headDim; d++)
                output[d] += Math.Exp(score - lse) * v[d];
        }
        return lse;
    }

    private ReadOnlySpan<float> Slice(HostTensor rows, int row, int head, int of) =>
        rows.Values.AsSpan((row % Period * of + head) * headDim, headDim);

    private HostTensor Rows(Random random, int of, ElementType type) =>
        HostTensor.Normal(random, new Shape(1, Period, of, headDim), type);

    // [1, N, heads, D]
    private Tensor Repeated(HostTensor rows)
    {
        var tensor = engine.Allocate(rows.Shape.With(1, tokens), rows.Type);
        int row = rows.Shape[2] * headDim;
        for (int start = 0; start < tokens; start += Period)
        {
            int count = Math.Min(Period, tokens - start);
            using var part = tensor.Slice(1, start, count);
            engine.Upload(rows.Values.AsSpan(0, count * row), part);
        }
        return tensor;
    }

    private float[] Values(Tensor tensor, int dimension, int row)
    {
        using var part = tensor.Slice(dimension, row, 1);
        return engine.ToArray(part);
    }
}
