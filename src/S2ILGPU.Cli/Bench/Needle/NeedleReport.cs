using System.Text.Json;
using static System.FormattableString;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>What <c>s2 bench needle</c> measured.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">Commit of the working directory; null where unknown.</param>
/// <param name="Grids">What each model found.</param>
internal sealed record NeedleReport(string Engine, DateOnly Date, string? Commit,
    IReadOnlyList<(NeedleModel Model, NeedleGrid Grid)> Grids)
{
    // With so many, finding all of them means at least 99 % at 95 % confidence.
    private const int LeastTrials = 300;

    /// <summary>The figures of one model.</summary>
    public static FigureGroup Figures(NeedleModel model, NeedleGrid grid) => new(
        model.Title + (model.IsControl ? ", a control" : ""),
        [.. grid.Lengths.Select((tokens, length) =>
        {
            var (found, trials) = grid.Of(length);
            bool isJudged = !model.IsControl && trials >= LeastTrials;
            return new Figure(Invariant($"needles found in {tokens:#,0} tokens"), found / (double)trials,
                isJudged ? 1 : null, "of all", null,
                Invariant($"{found} of {trials}, at least {100 * NeedleGrid.LowerBound(found, trials):0.0} % ")
                + Invariant($"at 95 % confidence; {ByDepth(grid, length)}")
                + (model.IsControl && 2 * found > trials ? "; a control was to miss them: nothing is shown" : ""));
        })]);

    /// <summary>Writes the report as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("engine", Engine);
        json.WriteString("date", $"{Date:yyyy-MM-dd}");
        json.WriteString("commit", Commit);
        json.WriteStartArray("models");
        foreach (var (model, grid) in Grids)
            Write(json, model, grid);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, NeedleModel model, NeedleGrid grid)
    {
        json.WriteStartObject();
        json.WriteString("name", model.Name);
        json.WriteBoolean("control", model.IsControl);
        json.WriteStartArray("lengths");
        for (int length = 0; length < grid.Lengths.Count; length++)
        {
            var (found, trials) = grid.Of(length);
            json.WriteStartObject();
            json.WriteNumber("tokens", grid.Lengths[length]);
            json.WriteNumber("found", found);
            json.WriteNumber("trials", trials);
            json.WriteNumber("lowerBound", Math.Round(NeedleGrid.LowerBound(found, trials), 4));
            json.WriteStartArray("depths");
            for (int depth = 0; depth < NeedleGrid.Depths; depth++)
                json.WriteNumberValue(Math.Round(grid.At(length, depth), 4));
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    // From the text's beginning to its end.
    private static string ByDepth(NeedleGrid grid, int length)
    {
        string[] depths = [.. Enumerable.Range(0, NeedleGrid.Depths)
            .Select(depth => Invariant($"{100 * grid.At(length, depth):0}"))];
        return depths.Distinct().Count() == 1 ? $"{depths[0]} % at each depth"
            : $"by depth {string.Join(' ', depths)} %";
    }
}
