using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Core.Tests.Patterns;

/// <summary>Random patterns of every kind, another set in every run; the seed is in the description.</summary>
internal sealed class RandomPatterns
{
    private readonly Random _random;
    private readonly int _seed = Environment.TickCount ^ Guid.NewGuid().GetHashCode();
    private (int Query, int KeyValue, int Block, bool Causal) _heads;

    public RandomPatterns() => _random = new Random(_seed);

    public string Seed => $"seed {_seed}";

    public int Below(int end) => _random.Next(end);

    /// <summary>One pattern of each kind, all with the same heads, and combinations of them.</summary>
    public IEnumerable<AttentionPattern> OneOfEach()
    {
        int keyValueHeads = 1 + Below(4);
        _heads = (keyValueHeads * (1 + Below(3)), keyValueHeads, 16 << Below(4), Below(3) > 0);
        AttentionPattern[] simple = _heads.Causal
            ? [Dense(), Window(), LocalStride(), Custom(), TwoRange(), ColumnSlash()]
            : [Dense(), Window(), LocalStride(), Custom()];
        foreach (var pattern in simple)
            yield return pattern;
        AttentionPattern Any() => simple[Below(simple.Length)];
        yield return Any() | Any();
        yield return Any() & Any();
        yield return (Any() | Any()) & (Any() | LocalStride());
        int group = _heads.Query / _heads.KeyValue, first = Below(_heads.KeyValue);
        yield return Any().SliceHeads((first * group).._heads.Query);
        yield return (Any() | Any()).SliceHeads((first * group + Below(group))..((first + 1) * group));
    }

    public LocalStridePattern LocalStride() =>
        new(_heads.Query, _heads.KeyValue, _heads.Block, 1 + Below(6), 1 + Below(9), Stripes(), _heads.Causal);

    public CustomPattern Custom()
    {
        int heads = Below(2) == 0 ? _heads.Query : _heads.KeyValue;
        double density = _random.NextDouble();
        var table = new bool[heads, MaxBlocks, MaxBlocks];
        for (int h = 0; h < heads; h++)
            for (int i = 0; i < MaxBlocks; i++)
                for (int j = 0; j < (_heads.Causal ? i + 1 : MaxBlocks); j++)
                    table[h, i, j] = _random.NextDouble() < density;
        return new CustomPattern(table, _heads.Query, _heads.KeyValue, _heads.Block, _heads.Causal);
    }

    /// <summary>The most blocks of a test context.</summary>
    public const int MaxBlocks = 30;

    private DensePattern Dense() => new(_heads.Query, _heads.KeyValue, _heads.Block, _heads.Causal);

    private SlidingWindowPattern Window() =>
        new(_heads.Query, _heads.KeyValue, 1 + Below(8), Below(4), _heads.Block, _heads.Causal);

    private ColumnSlashPattern ColumnSlash()
    {
        int heads = Below(2) == 0 ? _heads.Query : _heads.KeyValue;
        int[][] Lists() => [.. Enumerable.Range(0, heads).Select(_ =>
            Enumerable.Range(0, MaxBlocks).Where(_ => Below(5) == 0).ToArray())];
        return new ColumnSlashPattern(Lists(), Lists(), _heads.Query, _heads.KeyValue, _heads.Block);
    }

    private TwoRangePattern TwoRange()
    {
        int local = 1 + Below(4);
        return new TwoRangePattern(_heads.Query, _heads.KeyValue, local, local + Below(10), 1 + Below(5), 1 + Below(9),
            _heads.Block, Stripes());
    }

    private StripeOptions Stripes() => new()
    {
        HeadOffset = Below(12),
        HomogeneousHeads = Below(4) == 0,
        DenseHeads = Below(3) == 0 ? Below(_heads.KeyValue + 1) : 0,
        SlideByQueryHead = Below(2) == 0,
    };

    /// <summary>The rows of one head as in SEMANTICS: '1' where kept, rows separated by '/'.</summary>
    public static string Grid(AttentionPattern pattern, int head, int blocks) =>
        string.Join('/', Enumerable.Range(0, blocks)
        .Select(i => string.Concat(Enumerable.Range(0, blocks).Select(j => pattern.Keeps(head, i, j) ? '1' : '0'))));

    /// <summary>The same from a layout's rows.</summary>
    public static string Grid(BlockLayout layout, int head) =>
        string.Join('/', Enumerable.Range(0, layout.KeyBlocks).Select(i =>
    {
        var row = layout.Row(head, i);
        var cells = new string('0', layout.KeyBlocks).ToCharArray();
        foreach (int j in row.Full)
            cells[j] = '1';
        foreach (int j in row.Partial)
            cells[j] = '1';
        return new string(cells);
    }));
}
