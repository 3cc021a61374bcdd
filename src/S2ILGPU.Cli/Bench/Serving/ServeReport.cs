using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>What <c>s2 bench serve</c> measured.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">Commit of the working directory; null where unknown.</param>
/// <param name="Groups">The figures.</param>
internal sealed record ServeReport(string Engine, DateOnly Date, string? Commit, IReadOnlyList<FigureGroup> Groups)
{
    /// <summary>Writes the report as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("engine", Engine);
        json.WriteString("date", $"{Date:yyyy-MM-dd}");
        json.WriteString("commit", Commit);
        json.WriteStartArray("figures");
        foreach (var figure in Groups.SelectMany(group => group.Figures))
            figure.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
