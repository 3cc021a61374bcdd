using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The part of every layer that one of several ranks has: neighbouring heads with their keys and values, and
/// neighbouring columns of the feed-forward block. Embeddings, head and norms are whole on every rank.</summary>
/// <remarks>Products into a block are cut by their outputs, products out of it by their inputs, whose partial results
/// are summed over the ranks: one sum per block in the forward pass, and one, of the gradient of the block's input, in
/// the backward pass. What lies between blocks is the same on every rank, to the bit.</remarks>
/// <seealso href="https://arxiv.org/abs/1909.08053">Shoeybi et al., Megatron-LM, section 3</seealso>
internal sealed class TensorShard
{
    private readonly ICollective _group;
    private readonly TransformerConfig _config;

    /// <summary>Cuts a model.</summary>
    /// <param name="group">The ranks that share every layer; not disposed.</param>
    /// <param name="config">The whole model.</param>
    /// <exception cref="ArgumentException">The ranks do not divide the key/value heads, or the columns of the
    /// feed-forward block.</exception>
    public TensorShard(ICollective group, TransformerConfig config)
    {
        (_group, _config) = (group, config);
        if (config.KeyValueHeads % Ranks != 0)
            throw new ArgumentException(
                $"{Ranks} ranks cannot share {config.KeyValueHeads} key/value heads: each needs as many whole ones");
        if (config.FeedForwardDim % Ranks != 0)
            throw new ArgumentException($"{Ranks} ranks cannot share a feed-forward block of {config.FeedForwardDim} "
                + "columns: each needs as many");
    }

    /// <summary>Ranks that share every layer.</summary>
    public int Ranks => _group.Size;

    /// <summary>Number of this rank among them.</summary>
    public int Rank => _group.Rank;

    /// <summary>The query heads of this rank, by their number in the whole model.</summary>
    public Range Heads => (Rank * QueryHeads)..((Rank + 1) * QueryHeads);

    private int QueryHeads => _config.QueryHeads / Ranks;

    /// <summary>The parameters of this rank.</summary>
    public ModelParameters Cut(ModelParameters whole) =>
        whole with { Layers = [.. whole.Layers.Select(Cut)] };

    /// <summary>What enters a block: the same value, whose gradient is summed over the ranks.</summary>
    public Variable Enter(Tape tape, Variable x)
    {
        if (!tape.Needs(x))
            return x;
        var y = tape.View(x, ViewKey.Reshape(x.Shape));
        tape.Record(y, () =>
        {
            var gradient = tape.OwnGradient(y);
            _group.AllReduce(gradient).Wait();
            tape.GiveGradient(x, gradient);
        });
        return y;
    }

    /// <summary>What leaves a block: partial results become their sum over the ranks, in their place. Every rank has
    /// the gradient of the sum already.</summary>
    public void Leave(Variable partial) => _group.AllReduce(partial.Value).Wait();

    /// <summary>The whole of a parameter, or of what is shaped like it, from the parts of the ranks; all of them call
    /// it.</summary>
    /// <param name="engine">The engine of this rank.</param>
    /// <param name="spec">The parameter.</param>
    /// <param name="part">The part of this rank.</param>
    public float[] Gather(IEngine engine, ParameterSpec spec, float[] part)
    {
        if (spec.Slice is null)
            return part;
        using Tensor own = engine.FromArray(part), all = engine.Zeros(part.Length * Ranks);
        _group.AllGather(own, all).Wait();
        float[] parts = engine.ToArray(all), whole = new float[spec.Shape.Count];
        for (int rank = 0; rank < Ranks; rank++)
            Of(spec.Slice, rank).Put(parts.AsSpan(rank * part.Length, part.Length), spec.Shape, whole);
        return whole;
    }

    // Every rank has as many indices of each range, one behind the other.
    private ParameterSlice Of(ParameterSlice own, int rank) => own with
    {
        Ranges = [.. own.Ranges.Select(range => (range.Start + (rank - Rank) * range.Count, range.Count))],
    };

    private LayerSpec Cut(LayerSpec layer)
    {
        int queries = _config.QueryHeads * _config.HeadDim, keys = _config.KeyValueHeads * _config.HeadDim,
            inner = _config.FeedForwardDim;
        int[][] heads = layer.QueryKeyValue.Count == 1 ? [[queries, keys, keys]] : [[queries], [keys], [keys]];
        return layer with
        {
            QueryKeyValue = [.. layer.QueryKeyValue.Zip(heads, Rows)],
            Output = Columns(layer.Output),
            FeedForwardIn = Rows(layer.FeedForwardIn,
                [.. Enumerable.Repeat(inner, layer.FeedForwardIn.Weight.Shape[0] / inner)]),
            FeedForwardOut = Columns(layer.FeedForwardOut),
        };
    }

    // Outputs of several kinds, one behind the other, of each of which the rank has its share.
    private LinearSpec Rows(LinearSpec product, int[] counts)
    {
        int start = 0;
        var ranges = new List<(int, int)>();
        foreach (int count in counts)
        {
            ranges.Add((start + Rank * (count / Ranks), count / Ranks));
            start += count;
        }
        var slice = new ParameterSlice(0, ranges);
        return new(product.Weight with { Slice = slice }, product.Bias is null ? null
            : product.Bias with { Slice = slice });
    }

    private LinearSpec Columns(LinearSpec product)
    {
        int count = product.Weight.Shape[1] / Ranks;
        return product with { Weight = product.Weight with { Slice = new(1, [(Rank * count, count)]) } };
    }
}
