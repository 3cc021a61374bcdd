using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>The memory family. Uploads and downloads take part in every check; here they meet strides and
/// rounding.</summary>
internal static class MemoryChecks
{
    /// <param name="types">All element types that the engine stores.</param>
    public static IEnumerable<OperationCheck> Of(IReadOnlyList<ElementType> types)
    {
        foreach (var type in types)
        {
            yield return new(nameof(IEngine.Upload), type, "permuted", (p, size) => Upload(p, size, type));
            yield return new(nameof(IEngine.Fill), type, "", (p, size) => Fill(p, size, type));
            foreach (var from in types)
                yield return new(nameof(IEngine.Copy), type, $"from {from}, permuted", (p, size) =>
                    Copy(p, size, from, type));
            yield return new(nameof(IEngine.WritePages), type, "", (p, size) => WritePages(p, size, type));
        }
    }

    private static Action Upload(OperationProblem p, Extents size, ElementType type)
    {
        var host = HostTensor.Normal(p.Random, new Shape(size.Rows, size.Columns), ElementType.Float32);
        var exact = HostTensor.Rounded(host.Shape, type, Array.ConvertAll(host.Values, v => (double)v));
        var target = p.Result("values", new Shape(size.Columns, size.Rows), type, Transposed(exact),
            tolerance: Tolerance.Exact);
        return () =>
        {
            using var permuted = target.Permute(1, 0);
            p.Engine.Upload(host.Values, permuted);
        };
    }

    private static Action Fill(OperationProblem p, Extents size, ElementType type)
    {
        p.HasWideRows = true;
        var shape = new Shape(size.Rows, size.Columns);
        var target = p.Result("values", shape, type, [.. Enumerable.Repeat(-2.5, (int)shape.Count)],
            tolerance: Tolerance.Exact);
        return () => p.Engine.Fill(target, -2.5f);
    }

    private static Action Copy(OperationProblem p, Extents size, ElementType from, ElementType to)
    {
        p.HasWideRows = true;
        var source = HostTensor.Normal(p.Random, new Shape(size.Rows, size.Columns), from);
        var exact = HostTensor.Rounded(source.Shape, to, Array.ConvertAll(source.Values, v => (double)v));
        var x = p.Given(source);
        var target = p.Result("values", new Shape(size.Columns, size.Rows), to, Transposed(exact),
            tolerance: Tolerance.Exact);
        return () =>
        {
            using var permuted = target.Permute(1, 0);
            p.Engine.Copy(x.Tensor, permuted);
        };
    }

    // 2 sequences of 2 heads get their last rows; one block has no page.
    private static Action WritePages(OperationProblem p, Extents size, ElementType type)
    {
        const int Sequences = 2, Heads = 2, Block = 16, HeadDim = 8;
        int written = size.Rows % 40 + 1, keys = written + size.Inner % 50, blocks = (keys + Block - 1) / Block;
        var source = p.Normal(new Shape(Sequences, written, Heads, HeadDim), type);
        int[] pages = [.. Enumerable.Range(0, Sequences * Heads * blocks + 1)];
        p.Random.Shuffle(pages);
        var before = HostTensor.Normal(p.Random, new Shape(pages.Length, Block, HeadDim), type);
        double[] after = Array.ConvertAll(before.Values, v => (double)v);
        var table = new PageTable(Sequences, Heads, blocks);
        for (int s = 0; s < Sequences; s++)
            for (int h = 0; h < Heads; h++)
                for (int block = 0; block < blocks; block++)
                    if ((s, h, block) != (1, 0, blocks - 1))
                        table[s, h, block] = pages[(s * Heads + h) * blocks + block];
        for (int n = 0; n < source.Values.Length; n++)
        {
            int d = n % HeadDim, h = n / HeadDim % Heads, t = n / (HeadDim * Heads) % written,
                s = n / (HeadDim * Heads * written), position = keys - written + t,
                page = table[s, h, position / Block];
            if (page != PageTable.None)
                after[(page * Block + position % Block) * HeadDim + d] = source.Values[n];
        }
        var cache = p.Result("pages", before.Shape, type, after, Array.ConvertAll(before.Values, v => (double)v),
            tolerance: Tolerance.Exact);
        var sequences = SequenceBatch.Uniform(Sequences, written, keys);
        return () => p.Engine.WritePages(source.Tensor, cache, table, sequences);
    }

    private static double[] Transposed(HostTensor matrix)
    {
        int rows = matrix.Shape[0], columns = matrix.Shape[1];
        return [.. Enumerable.Range(0, rows * columns).Select(n =>
            (double)matrix.Values[n % rows * columns + n / rows])];
    }
}
