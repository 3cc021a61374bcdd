using System.Collections;

namespace S2ILGPU.Models;

/// <summary>The attention of every layer: one entry for all of them, or one entry each. An immutable value, compared by
/// its entries.</summary>
public sealed class AttentionPlan : IReadOnlyList<AttentionConfig>, IEquatable<AttentionPlan>
{
    private readonly AttentionConfig[] _entries;

    /// <summary>Creates a plan.</summary>
    /// <param name="entries">One entry for all layers, or one per layer.</param>
    /// <exception cref="ArgumentException">There is no entry.</exception>
    public AttentionPlan(params IEnumerable<AttentionConfig> entries)
    {
        _entries = [.. entries];
        if (_entries.Length == 0)
            throw new ArgumentException("an attention plan needs at least one entry");
    }

    /// <summary>Dense attention in every layer.</summary>
    public static AttentionPlan Dense { get; } = new(new DenseAttention());

    /// <summary>The default S2 attention in every layer.</summary>
    public static AttentionPlan Sparse { get; } = new(new LocalStrideAttention());

    /// <summary>Number of entries: 1, or the number of layers.</summary>
    public int Count => _entries.Length;

    /// <summary>The attention of a layer.</summary>
    /// <param name="layer">The layer, from 0.</param>
    public AttentionConfig this[int layer] => _entries.Length == 1 ? _entries[0] : _entries[layer];

    /// <summary>The first layers dense, the others sparse.</summary>
    /// <param name="layers">Number of layers.</param>
    /// <param name="denseLayers">How many of them are dense.</param>
    /// <param name="sparse">Attention of the others.</param>
    /// <exception cref="ArgumentException"><paramref name="layers"/> is below 1.</exception>
    public static AttentionPlan FirstDense(int layers, int denseLayers, AttentionConfig sparse)
    {
        CheckLayers(layers);
        return new(Enumerable.Range(0, layers).Select(layer => layer < denseLayers
            ? new DenseAttention { BlockTokens = sparse.BlockTokens } : sparse));
    }

    /// <summary>Every n-th layer dense (layers n-1, 2n-1, ...), the others sparse; n = 2 is Phi-3-small.</summary>
    /// <param name="layers">Number of layers.</param>
    /// <param name="n">Distance of the dense layers, at least 1.</param>
    /// <param name="sparse">Attention of the others.</param>
    /// <exception cref="ArgumentException">A number is below 1.</exception>
    public static AttentionPlan EveryDense(int layers, int n, AttentionConfig sparse)
    {
        CheckLayers(layers);
        if (n < 1)
            throw new ArgumentException($"the distance of dense layers must be at least 1, got {n}");
        return new(Enumerable.Range(0, layers).Select(layer => (layer + 1) % n == 0
            ? new DenseAttention { BlockTokens = sparse.BlockTokens } : sparse));
    }

    /// <summary>Reads a plan as command lines spell it.</summary>
    /// <param name="text"><c>dense</c>, <c>s2</c> or <c>window</c> with their numbers, as in
    /// <c>s2:local=16,stride=8,block=64</c> (further: <c>offset</c>, <c>dense-heads</c>, <c>homogeneous=1</c>,
    /// <c>slide=query</c>) and <c>window:tokens=4096</c>; <c>dense/2:</c> before it makes every second layer
    /// dense. Or an attention for each layer, as in <c>0=dense+1-6=s2:local=16,stride=8+7-=window:tokens=4096</c>: a
    /// layer or a range of layers before each, counted from 0, the last range without an end for any number of layers.
    /// Every layer must be named once.</param>
    /// <param name="layers">Number of layers.</param>
    /// <exception cref="ArgumentException">The text is none of these, or layers are missing, named twice, or not
    /// there.</exception>
    public static AttentionPlan Parse(string text, int layers)
    {
        ArgumentNullException.ThrowIfNull(text);
        return AttentionPlanText.Parse(text, layers);
    }

    private static void CheckLayers(int layers)
    {
        if (layers < 1)
            throw new ArgumentException($"an attention plan needs at least one layer, got {layers}");
    }

    /// <inheritdoc/>
    public bool Equals(AttentionPlan? other) => other is not null && _entries.AsSpan().SequenceEqual(other._entries);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AttentionPlan);

    /// <inheritdoc/>
    public override int GetHashCode() => _entries.Aggregate(_entries.Length, HashCode.Combine);

    /// <inheritdoc/>
    public IEnumerator<AttentionConfig> GetEnumerator() => _entries.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The kinds, as in <c>dense, local_stride, local_stride</c>.</summary>
    public override string ToString() => string.Join(", ", _entries.Select(entry => entry.Kind));
}
