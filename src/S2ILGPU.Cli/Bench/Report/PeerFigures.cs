using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>One comparison that <c>bench/S2ILGPU.Peers</c> measured.</summary>
/// <param name="Name">What both sides do.</param>
/// <param name="Ours">Which of ours.</param>
/// <param name="OursMs">Median milliseconds of a call of ours.</param>
/// <param name="PeerMs">Median milliseconds of a call of the peer's.</param>
/// <param name="Ratio">The peer's time over ours, the median over the rounds: above 1 ours is faster.</param>
/// <param name="Spread">Width of the middle half of the ratios.</param>
/// <param name="Note">What else to know.</param>
internal sealed record PeerFigure(string Name, string Ours, double OursMs, double PeerMs, double Ratio, double Spread,
    string Note);

/// <summary>A peer's comparisons.</summary>
/// <param name="Peer">Its name.</param>
/// <param name="Version">Name and version of its library, with its threads.</param>
/// <param name="Figures">The comparisons.</param>
/// <param name="LeftOut">What the time did not reach.</param>
internal sealed record PeerFigures(string Peer, string Version, IReadOnlyList<PeerFigure> Figures,
    IReadOnlyList<string> LeftOut)
{
    /// <summary>Reads what the program printed.</summary>
    /// <exception cref="InvalidDataException">It is not the program's JSON.</exception>
    public static PeerFigures Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            return new PeerFigures(Text(root, "peer"), Text(root, "version"),
                [.. root.GetProperty("figures").EnumerateArray().Select(figure => new PeerFigure(Text(figure, "name"),
                    Text(figure, "ours"), Number(figure, "oursMs"), Number(figure, "peerMs"),
                    Number(figure, "ratio"), Number(figure, "spread"), Text(figure, "note")))],
                [.. root.GetProperty("leftOut").EnumerateArray().Select(name => name.GetString() ?? "")]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException("it printed something else than figures");
        }

        static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";
        static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();
    }

    /// <summary>Writes the comparisons as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("peer", Peer);
        json.WriteString("version", Version);
        json.WriteStartArray("figures");
        foreach (var figure in Figures)
        {
            json.WriteStartObject();
            json.WriteString("name", figure.Name);
            json.WriteString("ours", figure.Ours);
            json.WriteNumber("oursMs", figure.OursMs);
            json.WriteNumber("peerMs", figure.PeerMs);
            json.WriteNumber("ratio", figure.Ratio);
            json.WriteNumber("spread", figure.Spread);
            json.WriteString("note", figure.Note);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("leftOut");
        foreach (string name in LeftOut)
            json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
