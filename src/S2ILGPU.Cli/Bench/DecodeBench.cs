using System.Globalization;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench;

/// <summary>One new query per head against a long paged cache: bytes of kept keys and values per second, of the rate of
/// plain reading.</summary>
internal static class DecodeBench
{
    private const int HeadDim = 64;

    public static FigureGroup Measure(BenchMachine machine)
    {
        var figures = new List<Figure>();
        foreach (var (name, pattern) in BenchPatterns.All(machine.Settings.Heads)[1..])
            figures.AddRange(Measure(machine, name, pattern));
        return new FigureGroup("decoding", figures);
    }

    private static IEnumerable<Figure> Measure(BenchMachine machine, string name, AttentionPattern pattern)
    {
        int tokens = machine.Settings.DecodeTokens;
        string title = $"decoding D{HeadDim}, {tokens} positions, {name}";
        using var single = new DecodeWork(machine.All, pattern, HeadDim, tokens, machine.Settings.ReadBytes);
        ElementType[] types = [ElementType.BFloat16, ElementType.Int8];
        var others = types.Select(single.As).ToArray();
        var timings = machine.Time(machine.Settings.DecodeRounds, Yardsticks.ReadRate,
            [single.Run, .. others.Select<DecodeWork, Action>(work => work.Run)]);
        double milliseconds = timings[0].Median / single.Caches * 1e3;
        yield return timings.Figure($"{title}, float32 cache", 0, single.Bytes, timings.ReadRate,
            Targets.DecodeOfReadRate, "of the read rate", Note(milliseconds, single));
        for (int n = 0; n < types.Length; n++)
        {
            bool isInt8 = types[n] == ElementType.Int8;
            double ceiling = (double)single.Bytes / others[n].Bytes;
            string note = string.Create(CultureInfo.InvariantCulture, $"at most {ceiling:0.00}x by its bytes; ")
                + Note(timings[n + 1].Median / single.Caches * 1e3, others[n]);
            yield return Figure.Of($"{title}, {(isInt8 ? "int8" : "bfloat16")} over float32 cache",
                timings.Ratio(n + 1, baseline: 0), isInt8 ? null : Targets.BFloat16Decode, "x", note,
                timings.ReadRate) with { Ceiling = ceiling };
            others[n].Dispose();
        }
    }

    private static string Note(double milliseconds, DecodeWork work) => string.Create(CultureInfo.InvariantCulture,
        $"{milliseconds:0.00} ms per token and layer, {work.Bytes / work.Caches / 1e6:0.0} MB");
}

/// <summary>A decoding step of several sequences, one call each, whose kept pages together exceed every cache of the
/// processor.</summary>
internal sealed class DecodeWork : IDisposable
{
    private readonly IEngine _engine;
    private readonly BlockLayout _layout;
    private readonly PageTable[] _tables;
    private readonly SequenceBatch _sequence;
    private readonly Tensor _query, _keys, _values, _output;
    private readonly float _scale;

    public DecodeWork(IEngine engine, AttentionPattern pattern, int headDim, int tokens, long totalBytes)
    {
        _engine = engine;
        _layout = BlockLayout.Create(pattern, tokens, queryTokens: 1);
        _sequence = SequenceBatch.Uniform(1, 1, tokens);
        int kept = (int)_layout.KeptBlocks;
        long pageBytes = 2L * pattern.BlockTokens * headDim * sizeof(float);
        int caches = (int)Math.Max(2, totalBytes / (kept * pageBytes));
        Bytes = caches * kept * pageBytes;
        _tables = Tables(caches);
        _scale = (float)(1 / Math.Sqrt(headDim));
        _query = engine.Random(1, 1, 1, pattern.QueryHeads, headDim);
        _output = engine.Allocate(_query.Shape, ElementType.Float32);
        _keys = engine.Random(2, caches * kept, pattern.BlockTokens, headDim);
        _values = engine.Random(3, caches * kept, pattern.BlockTokens, headDim);
    }

    private DecodeWork(DecodeWork other, ElementType type)
    {
        (_engine, _layout, _sequence, _tables, _scale) =
            (other._engine, other._layout, other._sequence, other._tables, other._scale);
        (_query, _output) = (other._query.Share(), _engine.Allocate(other._output.Shape, ElementType.Float32));
        (_keys, _values) = (Pages(other._keys, type), Pages(other._values, type));
        Bytes = 2 * _keys.Count * type.SizeBytes();
    }

    /// <summary>Bytes of the kept keys and values of all sequences.</summary>
    public long Bytes { get; }

    /// <summary>Number of sequences.</summary>
    public int Caches => _tables.Length;

    /// <summary>The same cache in another element type.</summary>
    public DecodeWork As(ElementType type) => new(this, type);

    public void Run()
    {
        foreach (var table in _tables)
            _engine.AttentionForward(new AttentionForwardArguments(_query, _keys, _values, _output, null, _layout,
                _sequence, _scale, table));
    }

    public void Dispose()
    {
        _query.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _output.Dispose();
    }

    // Float32 pages in another element type; each is written as a sequence of its own.
    private Tensor Pages(Tensor singles, ElementType type)
    {
        int count = singles.Shape[0], tokens = singles.Shape[1], headDim = singles.Shape[2];
        var pages = _engine.Allocate(PageTable.PagesShape(count, tokens, headDim, type), type);
        var table = new PageTable(count, 1, 1);
        for (int page = 0; page < count; page++)
            table[page, 0, 0] = page;
        using var rows = singles.Reshape(new Shape(count, tokens, 1, headDim));
        _engine.WritePages(rows, pages, table, SequenceBatch.Uniform(count, tokens, tokens));
        return pages;
    }

    // Only what is kept has a page, and pages lie in any order: a decoder that has run for a while hands them out so.
    private PageTable[] Tables(int caches)
    {
        var pattern = _layout.Pattern;
        int[] pages = [.. Enumerable.Range(0, caches * (int)_layout.KeptBlocks)];
        new Random(1).Shuffle(pages);
        int next = 0;
        var tables = new PageTable[caches];
        for (int c = 0; c < caches; c++)
        {
            tables[c] = new PageTable(1, pattern.KeyValueHeads, _layout.KeyBlocks);
            for (int head = 0; head < _layout.Heads; head++)
            {
                var row = _layout.Row(head, _layout.KeyBlocks - 1);
                foreach (int block in row.Full)
                    tables[c][0, head, block] = pages[next++];
                foreach (int block in row.Partial)
                    tables[c][0, head, block] = pages[next++];
            }
        }
        return tables;
    }
}
