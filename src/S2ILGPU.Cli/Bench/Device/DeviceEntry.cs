using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>What two measurements must share to be comparable: everything but who computed it.</summary>
/// <param name="Work">forward, backward, forward+backward or decode.</param>
/// <param name="HeadDim">D.</param>
/// <param name="Heads">H.</param>
/// <param name="KeyValueHeads">Hkv.</param>
/// <param name="ElementType">Element type in short, as in bf16.</param>
/// <param name="Pattern">dense, or blocks, window and stride as in <c>B64 L16 s8</c>.</param>
/// <param name="Tokens">N; while decoding, positions in the cache of each sequence.</param>
/// <param name="Sequences">Sequences of a decoding step; 1 otherwise.</param>
internal sealed record AttentionShape(string Work, int HeadDim, int Heads, int KeyValueHeads, string ElementType,
    string Pattern, int Tokens, int Sequences = 1)
{
    /// <summary>All but the pattern.</summary>
    public string Size => string.Create(CultureInfo.InvariantCulture,
        $"{Work} D{HeadDim} H{Heads}/{KeyValueHeads} {ElementType}, "
        + $"{(Sequences > 1 ? $"{Sequences} x " : "")}{Tokens} tokens");

    /// <summary>Everything in words.</summary>
    public override string ToString() => $"{Size}, {Pattern}";

    /// <summary>Writes the members of an object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("work", Work);
        json.WriteNumber("headDim", HeadDim);
        json.WriteNumber("heads", Heads);
        json.WriteNumber("kvHeads", KeyValueHeads);
        json.WriteString("dtype", ElementType);
        json.WriteString("pattern", Pattern);
        json.WriteNumber("tokens", Tokens);
        json.WriteNumber("sequences", Sequences);
    }
}

/// <summary>One measurement.</summary>
/// <param name="Shape">What was computed.</param>
/// <param name="Milliseconds">The median of a call.</param>
/// <param name="Spread">Width of the middle half of the measurements, in milliseconds.</param>
/// <param name="KeptFlops">Multiplications and additions over whole kept blocks.</param>
/// <param name="Ceiling">Blocks of dense over blocks of this pattern: the most that skipping blocks can give.</param>
/// <param name="SpeedUp">Time of dense over time of this pattern, the median over the rounds; null for dense, and where
/// dense was not measured.</param>
internal sealed record DeviceEntry(AttentionShape Shape, double Milliseconds, double Spread, double KeptFlops,
    double Ceiling, double? SpeedUp) : IDeviceEntry
{
    /// <summary>Width of the middle half of the speed-ups; null where there is none.</summary>
    public double? SpeedUpSpread { get; init; }

    /// <summary>The rate of the peak, and while decoding of the read rate; null where it was not measured.</summary>
    public OfLimit? OfLimit { get; init; }

    /// <summary>Bytes of the kept keys and values, while decoding; 0 otherwise.</summary>
    public double KeptBytes { get; init; }

    /// <summary>Trillions of multiplications and additions per second.</summary>
    public double TeraFlops => KeptFlops / Milliseconds / 1e9;

    /// <summary>How much of the ceiling is reached.</summary>
    public double? Fraction => SpeedUp / Ceiling;

    /// <summary>Billions of bytes of kept keys and values per second, while decoding.</summary>
    public double GigabytesPerSecond => KeptBytes / Milliseconds / 1e6;

    /// <summary>Tokens of all sequences per second and layer, while decoding.</summary>
    public double TokensPerSecond => Shape.Sequences / Milliseconds * 1e3;

    public string Line
    {
        get
        {
            string rate = KeptBytes > 0
                ? string.Create(CultureInfo.InvariantCulture,
                $"{GigabytesPerSecond,8:0.0} GB/s {TokensPerSecond,10:#,0} tokens/s")
                : string.Create(CultureInfo.InvariantCulture, $"{TeraFlops,8:0.000} TFLOP/s");
            return string.Create(CultureInfo.InvariantCulture,
                $"{Shape.Size,-58} {Shape.Pattern,-10} {Milliseconds,10:0.0000} ms +-{Spread / 2,8:0.0000} {rate}  "
                + $"{EntryText.SpeedUp(SpeedUp, Ceiling)}").TrimEnd();
        }
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        Shape.Write(json);
        json.WriteNumber("milliseconds", EntryText.Rounded(Milliseconds));
        json.WriteNumber("spread", EntryText.Rounded(Spread));
        json.WriteNumber("keptFlops", KeptFlops);
        json.WriteNumber("teraFlops", EntryText.Rounded(TeraFlops));
        json.WriteNumber("ceiling", EntryText.Rounded(Ceiling));
        EntryText.WriteNumber(json, "speedUp", SpeedUp);
        EntryText.WriteNumber(json, "speedUpSpread", SpeedUpSpread);
        EntryText.WriteNumber(json, "fraction", Fraction);
        OfLimit.Write(json, KeptBytes > 0 ? "ofReadRate" : "ofPeak", OfLimit);
        if (KeptBytes > 0)
        {
            json.WriteNumber("keptBytes", KeptBytes);
            json.WriteNumber("gigabytesPerSecond", EntryText.Rounded(GigabytesPerSecond));
            json.WriteNumber("tokensPerSecond", EntryText.Rounded(TokensPerSecond));
        }
        json.WriteEndObject();
    }
}
