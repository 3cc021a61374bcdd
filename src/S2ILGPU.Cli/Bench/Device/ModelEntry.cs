using System.Globalization;
using System.Text.Json;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>The time of a step of a whole model: of training, or of decoding.</summary>
/// <param name="Work">training or decode.</param>
/// <param name="Preset">Name of the model's shape.</param>
/// <param name="Model">The shape.</param>
/// <param name="Attention">dense, s2 or hybrid.</param>
/// <param name="ElementType">Element type of activations, in short.</param>
/// <param name="Sequences">Sequences of the batch.</param>
/// <param name="Tokens">Tokens of a training sequence; positions in the cache of the longest sequence while
/// decoding.</param>
/// <param name="TokensPerStep">Tokens that a step learns from, or makes.</param>
/// <param name="Milliseconds">The median of a step.</param>
/// <param name="Spread">Width of the middle half of the measurements, in milliseconds.</param>
/// <param name="Ceiling">Multiplications and additions (training) or bytes (decoding) of dense attention over those of
/// this: the most that the step can gain.</param>
/// <param name="SpeedUp">Time of dense over this time, the median over the rounds; null for dense.</param>
internal sealed record ModelEntry(string Work, string Preset, TransformerConfig Model, string Attention,
    string ElementType, int Sequences, int Tokens, int TokensPerStep, double Milliseconds, double Spread,
    double Ceiling, double? SpeedUp) : IDeviceEntry
{
    /// <summary>Width of the middle half of the speed-ups; null where there is none.</summary>
    public double? SpeedUpSpread { get; init; }

    /// <summary>The rate of the peak, and while decoding of the read rate; null where it was not measured.</summary>
    public OfLimit? OfLimit { get; init; }

    /// <summary>Multiplications and additions of a training step; 0 while decoding.</summary>
    public double Flops { get; init; }

    /// <summary>Bytes of weights and kept keys and values that a decoding step reads; 0 in training.</summary>
    public double Bytes { get; init; }

    /// <summary>Median milliseconds of the parts of a training step, by name.</summary>
    public IReadOnlyList<(string Name, double Milliseconds)> Phases { get; init; } = [];

    /// <summary>Tokens per second.</summary>
    public double TokensPerSecond => TokensPerStep / Milliseconds * 1e3;

    public string Line
    {
        get
        {
            string size = $"{Work} {Preset} {Attention} {ElementType}, {Sequences} x {Tokens} tokens";
            string rate = Flops > 0
                ? string.Create(CultureInfo.InvariantCulture, $"{Flops / Milliseconds / 1e9,8:0.000} TFLOP/s")
                : string.Create(CultureInfo.InvariantCulture,
                $"{Bytes / 1e6,8:0.0} MB {Bytes / Milliseconds / 1e6,8:0.0} GB/s");
            string phases = string.Concat(Phases.Select(phase =>
                string.Create(CultureInfo.InvariantCulture, $", {phase.Name} {phase.Milliseconds:0.00}")));
            return string.Create(CultureInfo.InvariantCulture,
                $"{size,-52} {Milliseconds,10:0.000} ms +-{Spread / 2,8:0.000} {TokensPerSecond,10:#,0} tokens/s {rate}"
                + $"  {EntryText.SpeedUp(SpeedUp, Ceiling)}").TrimEnd() + phases;
        }
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("work", Work);
        json.WriteString("preset", Preset);
        json.WriteString("attention", Attention);
        json.WriteString("dtype", ElementType);
        json.WriteNumber("sequences", Sequences);
        json.WriteNumber("tokens", Tokens);
        json.WriteNumber("milliseconds", EntryText.Rounded(Milliseconds));
        json.WriteNumber("spread", EntryText.Rounded(Spread));
        json.WriteNumber("tokensPerSecond", EntryText.Rounded(TokensPerSecond));
        json.WriteNumber("ceiling", EntryText.Rounded(Ceiling));
        EntryText.WriteNumber(json, "speedUp", SpeedUp);
        EntryText.WriteNumber(json, "speedUpSpread", SpeedUpSpread);
        EntryText.WriteNumber(json, "fraction", SpeedUp / Ceiling);
        OfLimit.Write(json, Bytes > 0 ? "ofReadRate" : "ofPeak", OfLimit);
        if (Flops > 0)
            json.WriteNumber("flops", Flops);
        if (Bytes > 0)
        {
            json.WriteNumber("bytes", Bytes);
            json.WriteNumber("gigabytesPerSecond", EntryText.Rounded(Bytes / Milliseconds / 1e6));
        }
        WriteModel(json);
        foreach (var (name, milliseconds) in Phases)
            json.WriteNumber($"{name}Milliseconds", EntryText.Rounded(milliseconds));
        json.WriteEndObject();
    }

    // What another implementation needs to build the same model.
    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteNumber("parameters", Model.ParameterCount);
        json.WriteNumber("vocabulary", Model.VocabularySize);
        json.WriteNumber("dim", Model.Dim);
        json.WriteNumber("layers", Model.Layers);
        json.WriteNumber("heads", Model.QueryHeads);
        json.WriteNumber("kvHeads", Model.KeyValueHeads);
        json.WriteNumber("headDim", Model.HeadDim);
        json.WriteNumber("feedForward", Model.FeedForwardDim);
        json.WriteNumber("ropeTheta", Model.RopeTheta);
    }
}
