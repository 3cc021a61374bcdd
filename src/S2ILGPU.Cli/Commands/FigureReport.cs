using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;

namespace S2ILGPU.Cli.Commands;

/// <summary>The figures of a bench: shown group by group as they are measured, or written as JSON at the end.</summary>
/// <param name="engine">What the engine calls itself.</param>
/// <param name="output">Where figures are shown.</param>
/// <param name="isJson">Whether the output is JSON instead.</param>
internal sealed class FigureReport(string engine, TextWriter output, bool isJson)
{
    private readonly List<FigureGroup> _groups = [];
    private readonly DateTime _date = DateTime.UtcNow;
    private readonly string? _commit = BenchMachine.Commit();

    /// <summary>Shows a group: a table on a terminal, lines elsewhere.</summary>
    public static void Show(FigureGroup group, TextWriter output)
    {
        if (StandardStreams.IsTerminal(output))
            FigureText.WriteTable(group);
        else
            FigureText.WriteLines(group, output);
    }

    /// <summary>Adds a group, and shows it unless the output is JSON.</summary>
    public void Add(FigureGroup group)
    {
        _groups.Add(group);
        if (!isJson)
            Show(group, output);
    }

    /// <summary>Writes all groups as one JSON object: to the output if that is JSON, and to a file if there is
    /// one.</summary>
    public void WriteJson(string? file)
    {
        if (isJson)
            JsonText.WriteLine(output, Write);
        JsonFile.Write(file, Write);
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("engine", engine);
        json.WriteString("date", $"{_date:yyyy-MM-dd}");
        json.WriteString("commit", _commit);
        json.WriteStartArray("figures");
        foreach (var figure in _groups.SelectMany(group => group.Figures))
            figure.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
