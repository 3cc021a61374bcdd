using System.Text.Json;

namespace S2ILGPU.Cli.Bench;

/// <summary>What a run measured.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">Commit of the working directory; null where unknown.</param>
/// <param name="Limits">The machine's own limits.</param>
/// <param name="Groups">The figures.</param>
/// <param name="SpeedUps">The points of the speed-up curve.</param>
/// <param name="Notes">What was left out, and why.</param>
internal sealed record BenchReport(MachineFacts Machine, DateOnly Date, string? Commit, MachineLimits Limits,
    IReadOnlyList<FigureGroup> Groups, IReadOnlyList<SpeedUp> SpeedUps, IReadOnlyList<string> Notes)
{
    /// <summary>All figures, in order.</summary>
    public IEnumerable<Figure> Figures => Groups.SelectMany(g => g.Figures);

    /// <summary>How many targets are met, in words.</summary>
    public string Summary
    {
        get
        {
            int all = Figures.Count(f => f.Verdict != Verdict.None);
            return $"{Count(Verdict.Pass)} of {all} targets met, {Count(Verdict.Miss)} missed, "
                + $"{Count(Verdict.Unsteady)} too unsteady to judge, "
                + $"{Count(Verdict.AboveCeiling)} above their ceilings, {Count(Verdict.NoValue)} without a value";

            int Count(Verdict verdict) => Figures.Count(f => f.Verdict == verdict);
        }
    }

    /// <summary>The figures that miss their targets, the furthest first, then those that cannot be judged.</summary>
    public IEnumerable<Figure> Misses =>
        Figures.Where(f => f.Verdict is Verdict.Miss or Verdict.Unsteady or Verdict.AboveCeiling)
        .OrderBy(f => f.Verdict).ThenBy(f => f.Value / f.Target);

    /// <summary>Writes the report as one JSON object.</summary>
    public void WriteJson(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        Machine.Write(json);
        json.WriteString("date", $"{Date:yyyy-MM-dd}");
        if (Commit is not null)
            json.WriteString("commit", Commit);
        Limits.Write(json);
        json.WriteStartArray("figures");
        foreach (var figure in Figures)
            figure.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
