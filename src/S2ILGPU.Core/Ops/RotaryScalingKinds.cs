namespace S2ILGPU.Ops;

/// <summary><c>linear</c>: positions are divided by a factor.</summary>
/// <param name="Factor">The factor, above 0.</param>
public sealed record LinearScaling(double Factor) : RotaryScaling
{
    /// <inheritdoc/>
    public override string Kind => "linear";

    internal override double Frequency(in RotaryPair pair) => pair.Frequency / Factor;

    internal override void Validate(int rotaryDim) => RequireFactor(Factor);
}

/// <summary><c>dynamic</c>: sequences of n tokens beyond the original context M turn by a larger base, <c>theta (f n /
/// M - (f - 1))^(D / (D - 2))</c>; shorter ones turn as without scaling.</summary>
/// <param name="Factor">f, how fast the base grows; 1 or more. A file without its own
/// context stands for f times the original one.</param>
/// <param name="OriginalTokens">M, context of the training.</param>
/// <remarks>Every length has its own angles. A whole sequence turns by those of its length. A sequence that grows uses
/// those of the longest length that it may reach from its first token on, because keys in a cache keep their angles: a
/// cache of at most M tokens computes what the model does without scaling.</remarks>
public sealed record DynamicScaling(double Factor, int OriginalTokens) : RotaryScaling
{
    /// <inheritdoc/>
    public override string Kind => "dynamic";

    internal override int ShortTokens => OriginalTokens;

    internal override bool GrowsWithLength => true;

    /// <summary>The context of a model whose file says only the original one.</summary>
    internal int ExtendedTokens => (int)Math.Min(int.MaxValue, Factor * OriginalTokens);

    internal override double Frequency(in RotaryPair pair) => pair.Frequency;

    internal override double LongFrequency(in RotaryPair pair, int tokens)
    {
        double growth = Factor * tokens / OriginalTokens - (Factor - 1);
        // A single pair has angles of 1 radian with any base, an infinite one too.
        return (pair with { Theta = pair.Theta * Math.Pow(growth, pair.Dim / (pair.Dim - 2.0)) }).Frequency;
    }

    internal override void Validate(int rotaryDim)
    {
        Require(Factor >= 1 && Factor <= 1e6, nameof(Factor), "1 to 1e6", Factor);
        RequireTokens(OriginalTokens);
    }
}

/// <summary><c>llama3</c>: slow turns are divided by a factor, fast ones stay, those between are
/// interpolated.</summary>
/// <param name="Factor">The factor.</param>
/// <param name="LowFrequencyFactor">Wavelengths above the original context over this are slow.</param>
/// <param name="HighFrequencyFactor">Wavelengths below the original context over this are fast.</param>
/// <param name="OriginalTokens">Context of the first training.</param>
public sealed record Llama3Scaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor,
    int OriginalTokens) : RotaryScaling
{
    /// <inheritdoc/>
    public override string Kind => "llama3";

    internal override double Frequency(in RotaryPair pair)
    {
        double frequency = pair.Frequency, turns = OriginalTokens * frequency / (2 * Math.PI);
        double kept = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
        return frequency * (kept + (1 - kept) / Factor);
    }

    internal override void Validate(int rotaryDim)
    {
        RequireFactor(Factor);
        RequireTokens(OriginalTokens);
        Require(LowFrequencyFactor > 0, nameof(LowFrequencyFactor), "above 0", LowFrequencyFactor);
        Require(HighFrequencyFactor > LowFrequencyFactor && double.IsFinite(HighFrequencyFactor),
            nameof(HighFrequencyFactor), FormattableString.Invariant($"above {LowFrequencyFactor}"),
            HighFrequencyFactor);
    }
}

/// <summary><c>yarn</c>: pairs with few turns in the original context are divided by a factor, those with many stay,
/// with a ramp over the pairs between; cosines and sines grow by an attention factor.</summary>
/// <param name="Factor">The factor.</param>
/// <param name="OriginalTokens">Context of the first training.</param>
/// <seealso href="https://arxiv.org/abs/2309.00071">YaRN</seealso>
public sealed record YarnScaling(double Factor, int OriginalTokens) : RotaryScaling
{
    /// <inheritdoc/>
    public override string Kind => "yarn";

    /// <summary>Turns from which a pair stays.</summary>
    public double FastTurns { get; init; } = 32;

    /// <summary>Turns up to which a pair is divided.</summary>
    public double SlowTurns { get; init; } = 1;

    /// <summary>Factor on cosines and sines; null for <c>0.1 ln(factor) + 1</c>.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>Whether the ramp begins and ends at whole pairs.</summary>
    public bool WholePairs { get; init; } = true;

    internal override double Frequency(in RotaryPair pair)
    {
        double low = PairOf(FastTurns, pair), high = PairOf(SlowTurns, pair);
        if (WholePairs)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, pair.Dim - 1));
        if (low == high)
            high += 0.001; // a step, without a division by 0
        double divided = Math.Clamp((pair.Index - low) / (high - low), 0, 1);
        return pair.Frequency * (1 - divided + divided / Factor);
    }

    internal override double Magnitude(int contextTokens, bool isLong) =>
        AttentionFactor ?? (Factor <= 1 ? 1 : 0.1 * Math.Log(Factor) + 1);

    internal override void Validate(int rotaryDim)
    {
        RequireFactor(Factor);
        RequireTokens(OriginalTokens);
        Require(SlowTurns > 0, nameof(SlowTurns), "above 0", SlowTurns);
        Require(FastTurns > SlowTurns && double.IsFinite(FastTurns), nameof(FastTurns),
            FormattableString.Invariant($"above {SlowTurns}"), FastTurns);
        Require(AttentionFactor is null or > 0 and <= 1e6, nameof(AttentionFactor), "above 0", AttentionFactor);
    }

    // Which pair, as a fraction, makes so many turns in the original context.
    private double PairOf(double turns, in RotaryPair pair) =>
        pair.Dim * Math.Log(OriginalTokens / (turns * 2 * Math.PI)) / (2 * Math.Log(pair.Theta));
}

/// <summary><c>longrope</c>: every pair has a factor for sequences up to the original context, and another one for
/// longer sequences.</summary>
/// <param name="ShortFactors">Divisors of the frequencies up to the original context, one per pair.</param>
/// <param name="LongFactors">Divisors beyond it.</param>
/// <param name="OriginalTokens">Context of the first training.</param>
/// <remarks>A sequence that grows uses one set of factors from its first token on: that of the longest length that it
/// may reach, because keys in a cache keep their angles.</remarks>
/// <seealso href="https://arxiv.org/abs/2402.13753">LongRoPE</seealso>
public sealed record LongRopeScaling(ValueList<double> ShortFactors, ValueList<double> LongFactors,
    int OriginalTokens) : RotaryScaling
{
    /// <inheritdoc/>
    public override string Kind => "longrope";

    /// <summary>Factor on cosines and sines of short sequences; null for <c>sqrt(1 + ln(context / original) /
    /// ln(original))</c>.</summary>
    public double? ShortMagnitude { get; init; }

    /// <summary>Factor on cosines and sines of long sequences; null for that of the formula.</summary>
    public double? LongMagnitude { get; init; }

    internal override int ShortTokens => OriginalTokens;

    internal override double Frequency(in RotaryPair pair) => pair.Frequency / ShortFactors[pair.Index];

    internal override double LongFrequency(in RotaryPair pair, int tokens) =>
        pair.Frequency / LongFactors[pair.Index];

    internal override double Magnitude(int contextTokens, bool isLong)
    {
        double factor = (double)contextTokens / OriginalTokens;
        return (isLong ? LongMagnitude : ShortMagnitude)
            ?? (factor <= 1 ? 1 : Math.Sqrt(1 + Math.Log(factor) / Math.Log(OriginalTokens)));
    }

    internal override void Validate(int rotaryDim)
    {
        RequireTokens(OriginalTokens);
        foreach (var (name, factors) in ((string, ValueList<double>)[])[(nameof(ShortFactors), ShortFactors),
            (nameof(LongFactors), LongFactors)])
        {
            Require(factors.Count == rotaryDim / 2, name, $"{rotaryDim / 2} numbers, one per pair", factors.Count);
            foreach (double factor in factors)
                Require(factor > 0 && factor <= 1e6, name, "above 0 and at most 1e6", factor);
        }
        Require(ShortMagnitude is null or > 0 and <= 1e6, nameof(ShortMagnitude), "above 0", ShortMagnitude);
        Require(LongMagnitude is null or > 0 and <= 1e6, nameof(LongMagnitude), "above 0", LongMagnitude);
    }
}
