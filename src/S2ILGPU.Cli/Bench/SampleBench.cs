using System.Globalization;
using System.Text.Json;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench;

/// <summary>Times of a prompt until its first token.</summary>
/// <param name="Tokens">Tokens of the prompt.</param>
/// <param name="Dense">Seconds over all blocks.</param>
/// <param name="Sampled">Seconds over the blocks that SampleAttention chooses, in the same rounds.</param>
/// <param name="Figures">What it kept in the last round, and what choosing cost.</param>
internal sealed record SampleTimes(int Tokens, Samples Dense, Samples Sampled, SampleAttentionFigures Figures)
{
    /// <summary>Times as fast as dense, round by round.</summary>
    public Samples SpeedUp => Dense.With(Sampled, (dense, sampled) => dense / sampled);

    /// <summary>The most that leaving out blocks can give attention.</summary>
    public double Ceiling => 1 / Figures.KeptFraction;

    /// <summary>Everything in one line.</summary>
    public string Line => string.Create(CultureInfo.InvariantCulture,
        $"{Tokens,6} tokens: {Dense.Median,8:0.000} s dense, {Sampled.Median,8:0.000} s sampled, "
        + $"{SpeedUp.Median:0.00} x; {Figures.KeptFraction:0.0%} of the blocks kept, so attention at most "
        + $"{Ceiling:0.0} x; choosing {Figures.SelectionShare:0.0%} of its time; audited rows keep "
        + $"{Figures.Audit.Mean:0.000}, at least {Figures.Audit.Least:0.000} (CRA)");

    /// <summary>Writes the times as members of an object. A prompt too short to choose blocks has no ceiling.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteNumber("tokens", Tokens);
        WriteTimes("dense", Dense);
        WriteTimes("sampled", Sampled);
        json.WriteNumber("speedUp", SpeedUp.Median);
        json.WriteNumber("speedUpSpread", SpeedUp.Spread);
        if (double.IsFinite(Ceiling))
            json.WriteNumber("ceiling", Ceiling);
        else
            json.WriteNull("ceiling");

        void WriteTimes(string name, Samples seconds)
        {
            json.WriteNumber($"{name}Seconds", seconds.Median);
            json.WriteNumber($"{name}Spread", seconds.Spread);
        }
    }
}

/// <summary>Time to first token of long prompts: all blocks, and those that SampleAttention chooses, in turn.</summary>
/// <param name="engine">The engine.</param>
/// <param name="model">A dense model.</param>
/// <param name="tokens">Tokens to take prompts from.</param>
/// <param name="options">How blocks are chosen.</param>
internal sealed class SampleBench(IEngine engine, TransformerModel model, int[] tokens, SampleAttentionOptions options)
{
    // A prompt of 64K takes minutes: its time is what it is after one round.
    private static readonly Rounds s_rounds = new(Least: 1, Most: 5, Seconds: 20, WarmUpSeconds: 0);

    private readonly float[] _logits = new float[model.Config.VocabularySize];

    /// <summary>Measures a length.</summary>
    /// <param name="length">Tokens of the prompt.</param>
    /// <param name="cancellation">Ends the run between two rounds.</param>
    /// <exception cref="ArgumentException">The model or the text is shorter.</exception>
    public SampleTimes Measure(int length, CancellationToken cancellation)
    {
        if (length > Math.Min(tokens.Length, model.Config.ContextTokens))
            throw new ArgumentException($"a prompt of {length} tokens: there is text of {tokens.Length}, and the model "
                + $"takes {model.Config.ContextTokens}");
        var figures = SampleAttentionFigures.None;
        var measurement = new Measurement(LeastSeconds: 0, engine.Synchronize, cancellation);
        var times = Alternating.Time(s_rounds, measurement,
            [() => Read(null, length), () => figures = Read(options, length)]);
        return new SampleTimes(length, times[0], times[1], figures);
    }

    private SampleAttentionFigures Read(SampleAttentionOptions? sample, int length)
    {
        model.SampleAttention = sample;
        using var decoder = new TransformerDecoder(model);
        decoder.Append(tokens.AsSpan(0, length), _logits);
        return model.SampleFigures;
    }
}
