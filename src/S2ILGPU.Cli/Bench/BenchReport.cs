using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench;

/// <summary>What a run measured.</summary>
/// <param name="Machine">The machine in words.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">Commit of the working directory; null where unknown.</param>
/// <param name="PeakGflops">Billions of multiplications and additions per second by number of threads.</param>
/// <param name="ReadGBs">Billions of bytes that all threads read per second.</param>
/// <param name="Groups">The figures.</param>
/// <param name="SpeedUps">The points of the speed-up curve.</param>
/// <param name="Notes">What was left out, and why.</param>
internal sealed record BenchReport(string Machine, DateOnly Date, string? Commit, IReadOnlyDictionary<int,
    double> PeakGflops, double ReadGBs,
    IReadOnlyList<FigureGroup> Groups, IReadOnlyList<SpeedUp> SpeedUps, IReadOnlyList<string> Notes)
{
    /// <summary>All figures, in order.</summary>
    public IEnumerable<Figure> Figures => Groups.SelectMany(g => g.Figures);

    /// <summary>The machine's own limits in words.</summary>
    public string Limits => string.Join(", ",
    [
        .. PeakGflops.Select(p => string.Create(CultureInfo.InvariantCulture,
            $"{p.Value:0} GFLOP/s peak on {p.Key} {(p.Key == 1 ? "thread" : "threads")}")),
        string.Create(CultureInfo.InvariantCulture, $"{ReadGBs:0.0} GB/s read"),
    ]);

    /// <summary>How many targets are met, in words.</summary>
    public string Summary
    {
        get
        {
            int met = Figures.Count(f => f.IsMet == true), missed = Figures.Count(f => f.IsMet == false);
            int none = Figures.Count(f => f is { Value: null, Target: not null });
            return $"{met} of {met + missed + none} targets met, {missed} missed, {none} without a value";
        }
    }

    /// <summary>The figures that miss their targets, the furthest first.</summary>
    public IEnumerable<Figure> Misses => Figures.Where(f => f.IsMet == false).OrderBy(f => f.Value / f.Target);

    /// <summary>Writes the report as one JSON object.</summary>
    public void WriteJson(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteString("machine", Machine);
        json.WriteString("date", $"{Date:yyyy-MM-dd}");
        if (Commit is not null)
            json.WriteString("commit", Commit);
        json.WriteStartObject("peakGflops");
        foreach (var (threads, peak) in PeakGflops)
            json.WriteNumber($"{threads}", Math.Round(peak, 1));
        json.WriteEndObject();
        json.WriteNumber("readGBs", Math.Round(ReadGBs, 2));
        json.WriteStartArray("figures");
        foreach (var figure in Figures)
            WriteFigure(json, figure);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteFigure(Utf8JsonWriter json, Figure figure)
    {
        json.WriteStartObject();
        json.WriteString("name", figure.Name);
        WriteNumber(json, "value", figure.Value);
        WriteNumber(json, "target", figure.Target);
        json.WriteString("unit", figure.Unit);
        WriteNumber(json, "spread", figure.Spread);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? number)
    {
        if (number is { } value && double.IsFinite(value))
            json.WriteNumber(name, Math.Round(value, 4));
        else
            json.WriteNull(name);
    }
}
