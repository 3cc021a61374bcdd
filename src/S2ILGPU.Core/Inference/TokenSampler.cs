using S2ILGPU.Models;

namespace S2ILGPU.Inference;

/// <summary>Draws tokens from logits: temperature, then top-k, then top-p. Allocates nothing per token. Not
/// thread-safe.</summary>
public sealed class TokenSampler
{
    private readonly SamplingOptions _options;
    private readonly RandomSource _random;
    private readonly int[] _ids;
    private readonly float[] _keys;

    /// <summary>Creates a sampler.</summary>
    /// <param name="options">How to draw.</param>
    /// <param name="vocabularySize">V, number of logits.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or there are no logits.</exception>
    public TokenSampler(SamplingOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (vocabularySize < 1)
            throw new ArgumentException($"a sampler draws from at least 1 logit, got {vocabularySize}");
        _options = options.Validate();
        _random = new RandomSource(options.Seed, "sampling");
        (_ids, _keys) = (new int[vocabularySize], new float[vocabularySize]);
    }

    /// <summary>Draws a token.</summary>
    /// <param name="logits">[V]; at least one is finite.</param>
    /// <returns>The token id.</returns>
    /// <exception cref="ArgumentException">There are not V logits.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN: the model is damaged.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (logits.Length != _ids.Length)
            throw new ArgumentException($"the sampler expects {_ids.Length} logits, got {logits.Length}");
        int best = 0;
        for (int v = 0; v < logits.Length; v++)
        {
            if (float.IsNaN(logits[v]))
                throw new InvalidDataException($"the logit of token {v} is NaN: the model's weights are damaged");
            if (logits[v] > logits[best])
                best = v;
        }
        return _options.Temperature == 0 ? best : Draw(logits, logits[best]);
    }

    private int Draw(ReadOnlySpan<float> logits, float maximum)
    {
        for (int v = 0; v < _ids.Length; v++)
            (_ids[v], _keys[v]) = (v, -logits[v]); // ascending keys: most likely first
        _keys.AsSpan().Sort(_ids.AsSpan());
        int kept = _options.TopK == 0 ? _ids.Length : Math.Min(_options.TopK, _ids.Length);
        double total = 0;
        for (int i = 0; i < kept; i++)
            total += Weight(i, maximum);
        double reached = 0;
        for (int i = 0; i < kept && _options.TopP < 1; i++)
            if ((reached += Weight(i, maximum)) >= _options.TopP * total)
                (kept, total) = (i + 1, reached);
        double left = _random.NextUniform() * total;
        for (int i = 0; i < kept; i++)
            if ((left -= Weight(i, maximum)) < 0)
                return _ids[i];
        return _ids[kept - 1];
    }

    private double Weight(int rank, float maximum) => Math.Exp((-_keys[rank] - (double)maximum) / _options.Temperature);
}
