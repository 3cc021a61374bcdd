using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Bench.Device;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>A figure that stands at the top of a report: times as fast as dense, of what the work allows.</summary>
/// <param name="Name">What is compared.</param>
/// <param name="Measured">Time of dense over its time; null where it was left out.</param>
/// <param name="Spread">Width of the middle half of the speed-ups.</param>
/// <param name="Ceiling">The most that it can be.</param>
/// <param name="Note">What else a reader needs: the counted bytes; empty for nothing.</param>
internal sealed record Headline(string Name, double? Measured, double? Spread, double? Ceiling, string Note = "")
{
    /// <summary>What may be quoted: what was measured, and no more than the ceiling.</summary>
    public double? SpeedUp => IsCapped ? Ceiling : Measured;

    /// <summary><see cref="Note"/>, and why less than the measurement is quoted.</summary>
    public string Remark => string.Join("; ", new[] { Note, IsCapped
        ? "more was measured: dense waited for memory or a busy machine" : "" }.Where(text => text.Length > 0));

    private bool IsCapped => Measured > Ceiling;

    /// <summary>The headlines of a report.</summary>
    /// <param name="settings">Its sizes: the longest are those of the headlines.</param>
    /// <param name="attention">Attention and decoding.</param>
    /// <param name="models">Training steps and generation.</param>
    public static IReadOnlyList<Headline> Of(ReportSettings settings, IReadOnlyList<DeviceEntry> attention,
        IReadOnlyList<ModelEntry> models)
    {
        string pattern = settings.Patterns[^1].Name;
        int headDim = settings.HeadDims[0];
        return
        [
            OfAttention("forward", settings.Tokens[^1]),
            OfTraining("s2", settings.TrainingTokens[^1]),
            OfTraining("hybrid", settings.TrainingTokens[^1]),
            .. settings.DecodeTokens.TakeLast(2).Select(tokens => OfAttention("decode", tokens)),
        ];

        Headline OfAttention(string work, int tokens)
        {
            var entry = attention.FirstOrDefault(e => (e.Shape.Work, e.Shape.HeadDim, e.Shape.Tokens, e.Shape.Pattern)
                == (work, headDim, tokens, pattern));
            string what = work == "decode" ? "decoding at" : "attention forward over";
            string note = entry is not { KeptBytes: > 0 } ? "" : string.Create(CultureInfo.InvariantCulture,
                $"{entry.KeptBytes / entry.Shape.Sequences / 1e6:0.00} MB per token and layer");
            return new Headline(string.Create(CultureInfo.InvariantCulture,
                $"{what} {tokens:#,0} tokens, {pattern} over dense, D{headDim}"), entry?.SpeedUp, entry?.SpeedUpSpread,
                entry?.Ceiling, note);
        }

        Headline OfTraining(string name, int tokens)
        {
            var entry = models.FirstOrDefault(e => (e.Work, e.Tokens, e.Attention) == ("training", tokens, name));
            return new Headline(string.Create(CultureInfo.InvariantCulture,
                $"training step over {tokens:#,0} tokens, preset {settings.TrainingPreset}, {name} over dense"),
                entry?.SpeedUp, entry?.SpeedUpSpread, entry?.Ceiling);
        }
    }

    /// <summary>Writes the headline as a JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", Name);
        EntryText.WriteNumber(json, "speedUp", SpeedUp);
        EntryText.WriteNumber(json, "measured", Measured);
        EntryText.WriteNumber(json, "speedUpSpread", Spread);
        EntryText.WriteNumber(json, "ceiling", Ceiling);
        EntryText.WriteNumber(json, "fraction", SpeedUp / Ceiling);
        json.WriteString("note", Remark);
        json.WriteEndObject();
    }
}
