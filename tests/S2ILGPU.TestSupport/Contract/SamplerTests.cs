using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Sampled rows, the choice of blocks and attention over chosen blocks. Two sequences behind padding, of
/// which the second has chosen blocks.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="type">Element type of queries, keys and values; null for the engine's own.</param>
public abstract class SamplerTests(Func<IEngine> create, ElementType? type = null) : EngineTest(create)
{
    private const int KeyValueHeads = 2, Padding = 3;

    // Sums, and whole numbers.
    private static readonly Tolerance s_sums = new(2e-5, true), s_whole = new(1e-9);

    private ElementType Type => type ?? Tested.FloatType;

    /// <summary>Fails where sums of rows did not come from the kernels that are meant to be tested.</summary>
    protected virtual void CheckUse()
    {
    }

    /// <summary>Head dims of the tests.</summary>
    protected virtual int HeadDim => Random.Pick(8, 24, 40);

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(128)]
    public void Sums_are_those_of_the_exact_rows(int block)
    {
        (int, int)[] sizes = [(1, 1), (65, 20), (130, 130), (Random.Next(140, 200), Random.Next(60, 100))];
        foreach (var ((keys, queries), isPaged) in Drawn(sizes.SelectMany(size =>
            new[] { (size, false), (size, true) })))
        {
            var problem = Create(block, keys, queries, isPaged);
            int[] rows = [.. Enumerable.Range(keys - queries, queries).OrderBy(_ => Random.Next())
                .Take(Random.Next(1, 80)).Order()];
            Sample(problem, rows, withSums: true);
            Sample(problem, rows, withSums: false);
            Release();
        }
    }

    [Fact]
    public void Damage_reaches_the_rows_that_see_it_and_the_sums_of_their_heads()
    {
        foreach (double damage in (double[])[double.NaN, double.PositiveInfinity])
        {
            var problem = Create(16, 100, 100, isPaged: false);
            double[] query = problem.Query.Values, key = problem.Key.Values;
            int heads = problem.Heads, dim = problem.HeadDim;
            // Queries meet it with 1, so that infinity is a score of infinity.
            for (int n = 0; n < query.Length; n += dim)
                query[n] = 1;
            key[((problem.Sequence.KeyStart + 50) * KeyValueHeads + 1) * dim] = damage;
            (problem.Query.Values, problem.Key.Values) = (query, key);
            Tested.Upload([.. query.Select(x => (float)x)], problem.Query.Tested);
            Tested.Upload([.. key.Select(x => (float)x)], problem.Key.Tested);
            using var lse = Tested.Zeros(heads, 4);
            using var columns = Tested.Zeros(heads, 7);
            using var slashes = Tested.Zeros(heads, 7);
            ((IAttentionSampler)Tested).SampleRows(Arguments(problem, problem.Query.Tested, problem.Key.Tested,
                [40, 49, 50, 99], lse, columns, slashes));
            float[] lses = Tested.ToArray(lse), ofColumns = Tested.ToArray(columns),
                ofSlashes = Tested.ToArray(slashes);
            for (int head = 0; head < heads; head++)
            {
                bool isDamaged = head / (heads / KeyValueHeads) == 1;
                Assert.Equal([false, false, isDamaged, isDamaged], lses[(head * 4)..(head * 4 + 4)]
                    .Select(float.IsNaN));
                Assert.Equal(isDamaged, float.IsNaN(ofColumns[(head * 7)..(head * 7 + 7)].Sum()));
                Assert.Equal(isDamaged, float.IsNaN(ofSlashes[(head * 7)..(head * 7 + 7)].Sum()));
            }
            Release();
        }
    }

    [Theory]
    [InlineData(0.5, 0.9, null)]
    [InlineData(0.95, 0.95, null)]
    [InlineData(1, 0.3, null)]
    [InlineData(0.8, 0.8, 5)]
    public void The_fewest_blocks_reach_the_share(double columnShare, double slashShare, int? window)
    {
        foreach (int blocks in (int[])[1, 17, Random.Next(30, 70)])
        {
            int heads = Random.Next(1, 4);
            var (columns, slashes) = (Sums("columns", columnShare), Sums("slashes", slashShare));
            // Where it is not a number, a head keeps everything.
            double[] damaged = columns.Values;
            damaged[Random.Next(blocks)] = double.NaN;
            columns.Values = damaged;
            var (kept, counts) = (Integers("kept", new Shape(2, heads, blocks), new int[2 * heads * blocks]),
                Integers("kept blocks", new Shape(heads), new int[heads]));
            Check($"{heads} heads, {blocks} blocks", s_whole, e => ((IAttentionSampler)e.Engine).ChooseBlocks(
                new BlockChoiceArguments(e[columns], e[slashes], columnShare, slashShare, window, blocks / 3, e[kept],
                    e[counts])));
            Release();

            TestTensor Sums(string name, double share) => With(name, new Shape(heads, blocks),
                [.. Enumerable.Range(0, heads).SelectMany(_ => Unambiguous(blocks, share))]);
        }
    }

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(128)]
    public void Attention_runs_over_the_chosen_blocks(int block)
    {
        foreach (var (isPaged, share) in Drawn(((bool, double)[])[(false, 0), (true, 0), (false, 0.2), (true, 0.2),
            (false, 1), (true, 1)]))
        {
            int keys = Random.Next(100, 300);
            var problem = Create(block, keys, Random.Next(1, keys), isPaged);
            int blocks = (keys + block - 1) / block;
            var kept = Integers("kept", new Shape(2, problem.Heads, blocks), [.. Enumerable
                .Range(0, 2 * problem.Heads * blocks).Select(_ => Random.NextDouble() < share ? 1 : 0)]);
            var output = Constant("output", problem.Query.Shape, double.NaN, Type);
            var lse = Constant("log-sum-exp", new Shape(1, problem.Heads, problem.Query.Shape[1]), double.NaN);
            lse.Tolerance = Tolerance.Forward(Type).Relative;
            var dense = BlockLayout.Create(new DensePattern(problem.Heads, KeyValueHeads, block), 300);
            Check($"blocks of {block}, {problem.Sequence}, a share of {share}", Tolerance.Forward(Type), e =>
                ((IAttentionSampler)e.Engine).ChosenForward(new AttentionForwardArguments(e[problem.Query],
                    e[problem.Key], e[problem.Value], e[output], e[lse], dense, problem.Sequences,
                    1 / MathF.Sqrt(problem.HeadDim), problem.Pages), [null, e[kept]]));
            Release();
        }
    }

    private T[] Drawn<T>(IEnumerable<T> cases) => [.. cases.OrderBy(_ => Random.Next()).Take(RandomCases)];

    private void Sample(in Problem problem, int[] rows, bool withSums)
    {
        var (p, lse) = (problem, Output("log-sum-exp", new Shape(problem.Heads, rows.Length)));
        var sums = new Shape(p.Heads, (p.Sequence.KeyCount - 1) / p.Block + 1);
        var columns = withSums ? Output("columns", sums) : null;
        var slashes = withSums ? Output("slashes", sums) : null;
        Check($"blocks of {p.Block}, {p.Sequence}, {rows.Length} rows, {(p.Pages is null ? "tensor" : "pages")}",
            s_sums, e => ((IAttentionSampler)e.Engine).SampleRows(Arguments(p, e[p.Query], e[p.Key], rows, e[lse],
                e.Optional(columns), e.Optional(slashes))));
        CheckUse();
    }

    private static AttentionSampleArguments Arguments(in Problem p, Tensor query, Tensor key, int[] rows, Tensor lse,
        Tensor? columns, Tensor? slashes) => new(query, key, p.Sequences, 1, rows, p.Block,
        1 / MathF.Sqrt(p.HeadDim), p.Pages, lse, columns, slashes);

    // Sums of which rounding decides nothing.
    private double[] Unambiguous(int blocks, double share)
    {
        while (true)
        {
            double[] sums = [.. Enumerable.Range(0, blocks)
                .Select(_ => (double)(float)Math.Pow(Random.NextDouble(), 4))];
            double reached = 0, total = sums.Sum();
            bool isClose = false;
            foreach (double sum in sums.OrderDescending())
                isClose |= Math.Abs((reached += sum) - share * total) < 1e-5 * total;
            if (!isClose || share == 1)
                return sums;
        }
    }

    private Problem Create(int block, int keys, int queries, bool isPaged)
    {
        int heads = KeyValueHeads * Random.Pick(1, 2), headDim = HeadDim;
        (int First, int Second)[] counts = [(Random.Next(1, 5), Random.Next(5, 40)), (queries, keys)];
        int other = counts[0].First, before = isPaged ? 0 : counts[0].Second + Padding;
        var sequences = new SequenceBatch(new Sequence(0, 0, other, 0, counts[0].Second),
            new Sequence(0, other + Padding, queries, before, keys));
        int pages = 0;
        var table = isPaged ? PagedCache.Table(Random, KeyValueHeads, [counts[0].Second, keys], block,
            (_, _, _) => true, out pages) : null;
        var keyShape = isPaged ? new Shape(pages, block, headDim)
            : new Shape(1, before + keys + Padding, KeyValueHeads, headDim);
        return new Problem(block, heads, headDim, sequences, table,
            Normal("query", new Shape(1, other + queries + 2 * Padding, heads, headDim), 2, Type),
            Normal("key", keyShape, type: Type), Normal("value", keyShape, type: Type));
    }

    private readonly record struct Problem(int Block, int Heads, int HeadDim, SequenceBatch Sequences,
        PageTable? Pages, TestTensor Query, TestTensor Key, TestTensor Value)
    {
        public Sequence Sequence => Sequences.Sequences[1];
    }
}
