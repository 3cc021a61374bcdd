using System.Globalization;
using System.Text.Json;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Commands;

/// <summary>What <c>--attention sample:...</c> kept and what choosing cost, in words and as JSON.</summary>
internal static class SampleReport
{
    /// <summary>Lines for a person; none for a model that runs without it.</summary>
    public static IEnumerable<string> Lines(TransformerModel model) =>
        model.SampleAttention is null ? [] : Lines(model.SampleFigures);

    /// <summary>Lines for a person.</summary>
    public static IEnumerable<string> Lines(SampleAttentionFigures figures)
    {
        if (figures.Selections == 0)
        {
            yield return "sampled attention: no pass had 4 blocks of queries and 16 of keys, all of them were dense";
            yield break;
        }
        yield return string.Create(CultureInfo.InvariantCulture,
            $"sampled attention: {figures.Selections} selections kept {figures.KeptFraction:0.0%} of the blocks of "
            + $"dense attention; selection {figures.SelectionShare:0.0%} of its time, audit "
            + $"{figures.AuditSeconds:0.000} s");
        yield return $"kept probability: {Text("audited", figures.Audit)}; {Text("sampled", figures.Sample)}";
        if (figures.Passes is { Count: > 0 } passes)
            yield return string.Create(CultureInfo.InvariantCulture, $"of {passes.Count:#,0} passes, "
                + $"{passes.OnAverage:#,0} kept {figures.Alpha} on average over their audited rows, "
                + $"{passes.InEveryRow:#,0} in every one of them");
        for (int layer = 0; layer < figures.KeptFractions.Count; layer++)
            yield return $"kept blocks of the heads of layer {layer}: " + string.Join(' ', figures.KeptFractions[layer]
                .Select(kept => kept.ToString("0.0%", CultureInfo.InvariantCulture)));
    }

    /// <summary>The figures as a property of an object.</summary>
    public static void WriteJson(Utf8JsonWriter writer, SampleAttentionFigures figures)
    {
        writer.WriteStartObject("sample");
        writer.WriteNumber("selections", figures.Selections);
        writer.WriteNumber("keptFraction", figures.KeptFraction);
        writer.WriteNumber("selectionShare", figures.SelectionShare);
        Write("audited", figures.Audit);
        Write("sampled", figures.Sample);
        writer.WriteStartObject("passes");
        writer.WriteNumber("alpha", figures.Alpha);
        writer.WriteNumber("count", figures.Passes.Count);
        writer.WriteNumber("keptOnAverage", figures.Passes.OnAverage);
        writer.WriteNumber("keptInEveryRow", figures.Passes.InEveryRow);
        writer.WriteEndObject();
        writer.WriteStartArray("keptFractions");
        foreach (var layer in figures.KeptFractions)
        {
            writer.WriteStartArray();
            foreach (double kept in layer)
                writer.WriteNumberValue(kept);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();

        void Write(string name, KeptProbability kept)
        {
            writer.WriteStartObject(name);
            writer.WriteNumber("rows", kept.Rows);
            Json.JsonText.WriteNumber(writer, "least", kept.Least);
            Json.JsonText.WriteNumber(writer, "mean", kept.Mean);
            writer.WriteEndObject();
        }
    }

    private static string Text(string what, KeptProbability kept) => string.Create(CultureInfo.InvariantCulture,
        $"{kept.Rows:#,0} {what} rows, least {kept.Least:0.0000}, mean {kept.Mean:0.0000}");
}
