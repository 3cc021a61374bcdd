namespace S2ILGPU.Inference;

/// <summary>Logits changed by a bias and by the tokens so far.</summary>
internal sealed class TokenPenalties
{
    private readonly SamplingOptions _options;
    private readonly int[] _generated;
    private readonly bool[] _isInPrompt;
    private readonly float[] _logits;
    private readonly KeyValuePair<int, float>[] _biases;

    private TokenPenalties(SamplingOptions options, int vocabularySize)
    {
        _options = options;
        (_generated, _isInPrompt) = (new int[vocabularySize], new bool[vocabularySize]);
        _logits = new float[vocabularySize];
        _biases = [.. options.LogitBias ?? new Dictionary<int, float>()];
    }

    /// <summary>Null for options that change no logit.</summary>
    public static TokenPenalties? Of(SamplingOptions options, int vocabularySize) =>
        options.RepetitionPenalty == 1 && options.PresencePenalty == 0 && options.FrequencyPenalty == 0
            && options.LogitBias is not { Count: > 0 } ? null : new TokenPenalties(options, vocabularySize);

    /// <summary>Names the prompt.</summary>
    public void Begin(ReadOnlySpan<int> prompt)
    {
        foreach (int token in prompt)
            _isInPrompt[token] = true;
    }

    /// <summary>Counts a generated token.</summary>
    public void Count(int token) => _generated[token]++;

    /// <summary>A changed copy, until the next call.</summary>
    public ReadOnlySpan<float> Apply(ReadOnlySpan<float> logits)
    {
        logits.CopyTo(_logits);
        foreach (var (token, bias) in _biases)
            _logits[token] += bias;
        for (int v = 0; v < _logits.Length; v++)
        {
            int count = _generated[v];
            if (count == 0 && !_isInPrompt[v])
                continue;
            float logit = _logits[v];
            logit = logit > 0 ? logit / _options.RepetitionPenalty : logit * _options.RepetitionPenalty;
            _logits[v] = count == 0 ? logit
                : logit - count * _options.FrequencyPenalty - _options.PresencePenalty;
        }
        return _logits;
    }
}
