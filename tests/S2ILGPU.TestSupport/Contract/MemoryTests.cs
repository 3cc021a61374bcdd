using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Allocation, host copies, strided copies, conversions and pages.</summary>
public abstract class MemoryTests(Func<IEngine> create, params ElementType[] sixteenBitTypes) : EngineTest(create)
{
    /// <summary>The float types that the engine stores: its own, and those that the derived class names.</summary>
    private IEnumerable<ElementType> Types => sixteenBitTypes.Prepend(Tested.FloatType);

    [Fact]
    public void Used_bytes_return_to_where_they_were()
    {
        long before = Tested.UsedBytes;
        var whole = Tested.Allocate(new Shape(5, 7), Tested.FloatType);
        var view = whole.Slice(1, 2, 3);
        long during = Tested.UsedBytes;
        Assert.True(during >= before + 35 * Tested.FloatType.SizeBytes(),
            $"{during} bytes used after {before} and 35 elements more");
        whole.Dispose();
        Assert.Equal(during, Tested.UsedBytes);
        view.Dispose();
        Assert.Equal(before, Tested.UsedBytes);
        Assert.True(Tested.PeakBytes >= during, $"peak {Tested.PeakBytes}, but {during} were used");
    }

    [Fact]
    public void Peak_is_the_most_ever_used_at_one_time()
    {
        long peakOfOne = PeakOf(64 * 1024), peakOfThree = PeakOf(3 * 64 * 1024);
        Assert.True(peakOfThree >= 3 * 64 * 1024 * Tested.FloatType.SizeBytes(), $"peak {peakOfThree}");
        Assert.True(peakOfThree > peakOfOne, $"peak {peakOfThree} after {peakOfOne}");
        for (int n = 0; n < 5; n++)
            Assert.Equal(peakOfThree, PeakOf(64 * 1024));

        long PeakOf(int count)
        {
            Tested.Allocate(new Shape(count), Tested.FloatType).Dispose();
            return Tested.PeakBytes;
        }
    }

    [Fact]
    public void Allocated_tensors_are_contiguous_and_do_not_overlap()
    {
        var tensors = Enumerable.Range(1, 20).Select(n => Tested.Allocate(new Shape(n, 3), Tested.FloatType)).ToArray();
        for (int n = 0; n < tensors.Length; n++)
            Tested.Fill(tensors[n], n);
        for (int n = 0; n < tensors.Length; n++)
        {
            Assert.True(tensors[n].IsContiguous);
            var values = new float[tensors[n].Count];
            Tested.Download(tensors[n], values);
            Assert.All(values, value => Assert.Equal(n, value));
            tensors[n].Dispose();
        }
    }

    [Fact]
    public void Upload_rounds_to_nearest_even_and_download_brings_it_back()
    {
        float[] source = [.. Random.Normal(61).Select(x => (float)x), 0f, -0f, 1.00390625f, 1.01171875f, 1e-41f,
            65519f, -70000f,
            float.PositiveInfinity, float.NegativeInfinity, float.NaN];
        foreach (var type in Types)
        {
            using var tensor = Tested.Allocate(new Shape(source.Length), type);
            Tested.Upload(source, tensor);
            var back = new float[source.Length];
            Tested.Download(tensor, back);
            for (int n = 0; n < source.Length; n++)
                Assert.True(((float)ElementRounding.Round(source[n], type)).Equals(back[n]),
                    $"{type}: {source[n]:r} came back as {back[n]:r}; {Seeds.Text}");
        }
    }

    [Fact]
    public void Strided_tensors_upload_and_download_in_row_major_order()
    {
        using var whole = Tested.Allocate(new Shape(3, 4, 5, 6), Tested.FloatType);
        using var permuted = whole.Permute(2, 0, 3, 1);
        using var view = permuted.Slice(2, 1, 4);
        float[] source = [.. Random.Normal(view.Count).Select(x => (float)x)], back = new float[view.Count],
            all = new float[whole.Count];
        Tested.Fill(whole, -7);
        Tested.Upload(source, view);
        Tested.Download(view, back);
        Assert.Equal(source, back);
        Tested.Download(whole, all);
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 6; k++)
                    for (int l = 0; l < 4; l++)
                        Assert.Equal(k is >= 1 and < 5 ? source[((i * 3 + j) * 4 + k - 1) * 4 + l] : -7,
                            all[((j * 4 + l) * 5 + i) * 6 + k]);
    }

    [Fact]
    public void Integers_keep_every_bit()
    {
        int[] source = [0, 1, -1, int.MaxValue, int.MinValue, 16777217,
            .. Enumerable.Range(0, 30).Select(_ => Random.Next())], back = new int[source.Length];
        using var tensor = Tested.Allocate(new Shape(2, source.Length / 2), ElementType.Int32);
        Tested.Upload(source, tensor);
        Tested.Download(tensor, back);
        Assert.Equal(source, back);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public void Fill_sets_every_element_of_a_view(int rows)
    {
        StridedRows("filled", rows, 5, 2, 3, isWritten: true);
        var view = StridedRows("filled too", rows, 17, 1, 0, isWritten: true);
        Check($"fill {view.Shape}", Tolerance.Exact, e => e.Engine.Fill(e[view], 2.5f));
    }

    [Fact]
    public void Copy_converts_between_strides_and_types()
    {
        foreach (var from in Types)
            foreach (var to in Types)
            {
                var source = View(Normal("source", new Shape(3, 4, 5), type: from), t => t.Permute(1, 2, 0));
                var destination = View(Normal("destination", new Shape(4, 9, 3), type: to), t => t.Slice(1, 3, 5));
                Check($"copy {from} to {to}", Tolerance.Exact, e => e.Engine.Copy(e[source], e[destination]));
                Release();
            }
    }

    [Fact]
    public void Copy_transposes()
    {
        foreach (var (batch, planes, rows, columns) in ((int, int, int, int)[])[(1, 1, 33, 70), (1, 3, 70, 33),
            (2, 3, 5, 4), (2, 2, 64, 16), (1, 1, 3, 90), (0, 2, 8, 8), (1, 1, 300, 200)])
        {
            var source = View(Normal("source", new Shape(batch, columns, planes, rows + 2)), t =>
                t.Slice(3, 1, rows).Permute(0, 2, 3, 1));
            var destination = View(Normal("destination", new Shape(batch, planes, rows, columns + 3)), t =>
                t.Slice(3, 2, columns));
            Check($"transpose {batch}x{planes}x{rows}x{columns}", Tolerance.Exact, e =>
                e.Engine.Copy(e[source], e[destination]));
            Release();
        }
    }

    [Fact]
    public void Write_pages_puts_new_rows_at_their_positions()
    {
        foreach (var type in Types)
            foreach (int blockTokens in (int[])[16, 64])
            {
                const int heads = 2, headDim = 24, queries = 5;
                int[] lengths = [5, blockTokens + 2, 3 * blockTokens, 2 * blockTokens + 1];
                var table = PagedCache.Table(Random, heads, lengths, blockTokens, (s, head, block) =>
                    (s, head, block) != (3, 1, 1), out int pageCount);
                bool isPacked = Random.Next(2) == 0;
                int[] counts = [5, 4, 5, 2];
                var source = Normal("source", isPacked ? new Shape(1, counts.Sum(), heads, headDim)
                    : new Shape(lengths.Length, queries, heads, headDim));
                var pages = Normal("pages", new Shape(pageCount, blockTokens, headDim), type: type);
                var sequences = isPacked ? PagedCache.PackedQueries(counts, lengths)
                    : SequenceBatch.Padded(counts, lengths);
                Check($"write pages of {blockTokens} {type}", Tolerance.Exact, e =>
                    e.Engine.WritePages(e[source], e[pages], table, sequences));
                Release();
            }
    }
}
