using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Design;

/// <summary>What a search found, for people and for programs.</summary>
internal static class DesignText
{
    /// <summary>Writes the patterns within the budget as lines, and the conflict between coverage and cache.</summary>
    /// <param name="search">What was found.</param>
    /// <param name="count">The most patterns to show.</param>
    /// <param name="output">Where to.</param>
    public static void Write(DesignSearch search, int count, TextWriter output)
    {
        if (search.Within.Count > 0)
            output.WriteLine($"{"options of s2 pattern",-54} {"covered",8} {"cache",7} {"ceiling",8} {"balance",8} "
                + $"{"window",7}");
        foreach (var candidate in search.Within.Take(count))
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Options(candidate),-54} "
                + $"{candidate.CoveredFraction,8:P0} {candidate.CacheFraction,7:P1} {candidate.Ceiling,7:0.0}x "
                + $"{candidate.LoadImbalance,8:0.00} {candidate.WindowTokens,7}"));
        if (search.Within.Count > count)
            output.WriteLine($"{count} of {search.Within.Count} patterns within the budget, --count shows more");
        if (search.Within.Count > 0)
            output.WriteLine();
        else
            output.WriteLine("no pattern keeps so little");
        output.WriteLine(search.SmallestComplete is { } complete
            ? $"smallest cache with complete coverage  {InWords(complete)}"
            : "no pattern of these heads covers the whole context");
        if (search.Smallest != search.SmallestComplete)
            output.WriteLine($"smallest cache of all                  {InWords(search.Smallest)}, covers "
                + $"{search.Smallest.CoveredFraction:P0}");
    }

    /// <summary>Writes the same as one JSON object.</summary>
    public static void WriteJson(DesignSearch search, int count, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartArray("patterns");
        foreach (var candidate in search.Within.Take(count))
            WriteJson(candidate, json);
        json.WriteEndArray();
        json.WritePropertyName("smallestComplete");
        WriteJson(search.SmallestComplete, json);
        json.WritePropertyName("smallest");
        WriteJson(search.Smallest, json);
        json.WriteEndObject();
    }

    private static void WriteJson(Candidate? candidate, Utf8JsonWriter json)
    {
        if (candidate is null)
        {
            json.WriteNullValue();
            return;
        }
        json.WriteStartObject();
        json.WriteNumber("localBlocks", candidate.Pattern.LocalBlocks);
        json.WriteNumber("verticalStride", candidate.Pattern.VerticalStride);
        json.WriteString("slideBy", SlideBy(candidate));
        json.WriteNumber("coveredFraction", candidate.CoveredFraction);
        json.WriteNumber("cacheFraction", candidate.CacheFraction);
        json.WriteNumber("ceiling", candidate.Ceiling);
        json.WriteNumber("loadImbalance", candidate.LoadImbalance);
        json.WriteNumber("windowTokens", candidate.WindowTokens);
        json.WriteEndObject();
    }

    private static string InWords(Candidate candidate) => string.Create(CultureInfo.InvariantCulture,
        $"{candidate.CacheFraction:P1}: {Options(candidate)}");

    private static string Options(Candidate candidate) => $"--local-blocks {candidate.Pattern.LocalBlocks} "
        + $"--vert-stride {candidate.Pattern.VerticalStride} --slide-by {SlideBy(candidate)}";

    private static string SlideBy(Candidate candidate) =>
        candidate.Pattern.Stripes.SlideByQueryHead ? "query" : "kv";
}
