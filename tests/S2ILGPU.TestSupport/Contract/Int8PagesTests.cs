using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>What <see cref="IEngine.WritePages"/> makes of rows in Int8 pages. A query that sees one key alone gets its
/// value, so attention shows what a page holds.</summary>
/// <param name="create">Creates the engine.</param>
public abstract class Int8PagesTests(Func<IEngine> create) : EngineTest(create)
{
    private const int Block = 16, KeyValueHeads = 2;

    /// <summary>Rows of all magnitudes, and those at the edges of the rule.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(24)]
    [InlineData(64)]
    [InlineData(136)]
    public void Rows_become_integers_with_a_scale(int headDim)
    {
        double[] magnitudes = [1, 1e-3, 1e5, 1e-29, 1e-31, 1e-40, 1e30, float.MaxValue];
        foreach (var type in (ElementType[])[FloatType, ElementType.BFloat16])
        {
            var rows = magnitudes.Select(m => Row(_ => m * (2 * Random.NextDouble() - 1))).ToList();
            rows.AddRange([Row(_ => 0), Row(d => float.MaxValue * (d % 2 == 0 ? 1 : -1)), Row(d => d == 3 ? 127 : 0.5),
                Row(d => d == 1 ? double.NaN : d), Row(d => d == headDim - 1 ? double.PositiveInfinity : d),
                Row(d => d == 0 ? double.NegativeInfinity : double.NaN), Row(d => d - 0.5)]);
            Check(rows, type);
        }

        double[] Row(Func<int, double> value) => [.. Enumerable.Range(0, headDim).Select(value)];
    }

    /// <summary>As before a shared page is written, and when the pool grows.</summary>
    [Fact]
    public void Copies_of_pages_carry_the_scales() =>
        Check([.. Enumerable.Range(0, 5).Select(n => Random.Normal(32, Math.Pow(10, n)))], FloatType, pages =>
        {
            var copy = Tested.Allocate(new Shape(pages.Shape[0] + 3, pages.Shape[1], pages.Shape[2]), ElementType.Int8);
            using (var part = copy.Slice(0, 0, pages.Shape[0]))
                Tested.Copy(pages, part);
            using (Tensor from = copy.Slice(0, 1, 1), to = copy.Slice(0, pages.Shape[0] + 1, 1))
                Tested.Copy(from, to);
            using (Tensor from = copy.Slice(0, pages.Shape[0] + 1, 1), to = copy.Slice(0, 1, 1))
                Tested.Copy(from, to);
            return copy;
        });

    // Each row is the only token of a sequence, in both KV heads; the second run overwrites the first.
    private void Check(List<double[]> rows, ElementType type, Func<Tensor, Tensor>? change = null)
    {
        int headDim = rows[0].Length, count = rows.Count;
        int[] tokens = [.. Enumerable.Repeat(1, count)];
        var shape = new Shape(count, 1, KeyValueHeads, headDim);
        double[] stored =
            [.. rows.SelectMany(row => row.Concat(row)).Select(x => ElementRounding.Round((float)x, type))];
        var table = PagedCache.Table(Random, KeyValueHeads, tokens, Block, (_, _, _) => true, out int pageCount);
        var sequences = SequenceBatch.Padded(tokens, tokens);
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", KeyValueHeads, KeyValueHeads, Block), 1);
        using Tensor query = Filled(shape, FloatType, new double[shape.Count]),
            noise = Filled(shape, type, Random.Normal(shape.Count)), value = Filled(shape, type, stored),
            output = Tested.Allocate(shape, FloatType),
            keyPages = Tested.Allocate(PageTable.PagesShape(pageCount, Block, headDim, ElementType.Int8),
                ElementType.Int8),
            valuePages = Tested.Allocate(keyPages.Shape, ElementType.Int8);
        Tested.WritePages(noise, keyPages, table, sequences);
        Tested.WritePages(noise, valuePages, table, sequences);
        Tested.WritePages(value, valuePages, table, sequences);
        using var read = change is null ? valuePages.Share() : change(valuePages);
        using var keys = change is null ? keyPages.Share() : change(keyPages);
        Tested.AttentionForward(new AttentionForwardArguments(query, keys, read, output, null, layout, sequences, 1,
            table));
        var actual = new float[shape.Count];
        Tested.Download(output, actual);
        for (int n = 0; n < stored.Length; n += headDim)
        {
            double[] expected = stored[n..(n + headDim)];
            Int8Rows.Round(expected);
            for (int d = 0; d < headDim; d++)
                Assert.True(expected[d].Equals(actual[n + d])
                    || Math.Abs(expected[d] - actual[n + d]) <= 1e-6 * Math.Abs(expected[d]),
                    $"{Tested.Name}, {type} row {n / headDim / KeyValueHeads}: {stored[n + d]:r} became "
                    + $"{actual[n + d]:r}, not {expected[d]:r}; {Seeds.Text}");
        }
    }

    private Tensor Filled(Shape shape, ElementType type, double[] values)
    {
        var tensor = Tested.Allocate(shape, type);
        Tested.Upload((float[])[.. values.Select(x => (float)x)], tensor);
        return tensor;
    }
}
