namespace S2ILGPU.Ops;

/// <summary>How rotary angles are changed so that a model reads longer contexts than it was first trained on. An
/// immutable value, compared by its numbers; null stands for none.</summary>
/// <remarks>The kinds and their formulas are those of Hugging Face's <c>rope_type</c>.</remarks>
public abstract record RotaryScaling
{
    /// <summary>The name in <c>config.json</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Sequences of more tokens than this turn by <see cref="LongFrequency"/>, at every position.</summary>
    internal virtual int ShortTokens => int.MaxValue;

    /// <summary>Radians per position of a pair.</summary>
    internal abstract double Frequency(in RotaryPair pair);

    /// <summary>Whether long sequences of different lengths turn by different angles.</summary>
    internal virtual bool GrowsWithLength => false;

    /// <summary>Radians per position of a pair in long sequences.</summary>
    /// <param name="pair">The pair.</param>
    /// <param name="tokens">Tokens that the sequence has, or may grow to.</param>
    internal virtual double LongFrequency(in RotaryPair pair, int tokens) => Frequency(pair);

    /// <summary>Factor on cosines and sines.</summary>
    /// <param name="contextTokens">Positions that the model knows.</param>
    /// <param name="isLong">Whether the sequence is longer than <see cref="ShortTokens"/>.</param>
    internal virtual double Magnitude(int contextTokens, bool isLong) => 1;

    /// <summary>Checks every number.</summary>
    /// <param name="rotaryDim">Numbers of a head that turn.</param>
    /// <exception cref="ArgumentException">A number is out of its range.</exception>
    internal abstract void Validate(int rotaryDim);

    private protected void Require(bool holds, string name, string rule, object? value)
    {
        if (!holds)
            throw new ArgumentException(FormattableString.Invariant(
                $"{name} of rotary scaling \"{Kind}\" must be {rule}, got {value}"));
    }

    private protected void RequireFactor(double factor) =>
        Require(factor > 0 && factor <= 1e6, "Factor", "above 0 and at most 1e6", factor);

    private protected void RequireTokens(int tokens) =>
        Require(tokens is >= 2 and <= 1 << 24, "OriginalTokens", $"2 to {1 << 24}", tokens);
}

/// <summary>Two numbers of a head that turn together.</summary>
/// <param name="Index">c, from 0.</param>
/// <param name="Dim">Numbers of a head that turn.</param>
/// <param name="Theta">Base of the angles.</param>
internal readonly record struct RotaryPair(int Index, int Dim, double Theta)
{
    /// <summary>Radians per position without scaling: <c>theta^(-2c / D)</c>.</summary>
    public double Frequency => Math.Pow(Theta, -2.0 * Index / Dim);
}
