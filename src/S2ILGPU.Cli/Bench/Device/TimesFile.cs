using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>One time of a file.</summary>
/// <param name="Implementation">Who computed it; empty for our own.</param>
/// <param name="Shape">What was computed.</param>
/// <param name="Milliseconds">The median of a call.</param>
/// <param name="Ceiling">Blocks of dense over blocks of the pattern: the most that skipping blocks can give; null where
/// the file does not say.</param>
internal sealed record MeasuredTime(string Implementation, AttentionShape Shape, double Milliseconds,
    double? Ceiling = null);

/// <summary>Times that <c>s2 bench attention</c> or <c>attention_peers.py</c> wrote.</summary>
/// <param name="Path">The file.</param>
/// <param name="Device">Where they were measured.</param>
/// <param name="Times">The times.</param>
/// <param name="Skipped">What was left out, and why.</param>
internal sealed record TimesFile(string Path, string Device, IReadOnlyList<MeasuredTime> Times,
    IReadOnlyList<string> Skipped)
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not such a file; the message says where.</exception>
    /// <exception cref="FileNotFoundException">It does not exist.</exception>
    public static TimesFile Read(string path)
    {
        byte[] utf8 = File.ReadAllBytes(path);
        try
        {
            using var document = JsonDocument.Parse(utf8);
            var root = document.RootElement;
            MeasuredTime[] times = [.. Member(path, root, "entries", JsonValueKind.Array).EnumerateArray()
                .Select((entry, n) => Time(path, entry, n))];
            if (times.GroupBy(t => (t.Implementation, t.Shape)).FirstOrDefault(g => g.Count() > 1) is { } twice)
                throw new InvalidDataException(
                    $"{path}: {twice.Key.Shape} is listed {twice.Count()} "
                    + $"times{(twice.Key.Implementation == "" ? "" : $" for {twice.Key.Implementation}")}");
            string[] skipped = root.TryGetProperty("notes", out var notes) && notes.ValueKind == JsonValueKind.Array
                ? [.. notes.EnumerateArray().Select(n => n.ToString())] : [];
            return new TimesFile(path, Member(path, root, "device", JsonValueKind.String).GetString()!, times, skipped);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not JSON: {JsonDiagnosis.Explain(utf8, e)}");
        }
    }

    private static MeasuredTime Time(string path, JsonElement entry, int n)
    {
        string where = $"{path}: entries[{n}]";
        if (entry.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{where} is not an object");
        var shape = new AttentionShape(Text(where, entry, "work"), Count(where, entry, "headDim"),
            Count(where, entry, "heads"), Count(where, entry, "kvHeads"),
            Text(where, entry, "dtype"), Text(where, entry, "pattern"), Count(where, entry, "tokens"),
                entry.TryGetProperty("sequences", out _) ? Count(where, entry, "sequences") : 1);
        double milliseconds = Positive(where, entry, "milliseconds");
        double? ceiling = entry.TryGetProperty("ceiling", out _) ? Positive(where, entry, "ceiling") : null;
        string implementation = entry.TryGetProperty("peer", out _) ? Text(where, entry, "peer") : "";
        return new MeasuredTime(implementation, shape, milliseconds, ceiling);
    }

    private static double Positive(string where, JsonElement entry, string name) =>
        Member(where, entry, name, JsonValueKind.Number).GetDouble() is var number && number > 0
        && double.IsFinite(number)
        ? number
        : throw new InvalidDataException($"{where}: {name} must be above 0, got {number}");

    private static string Text(string where, JsonElement entry, string name) =>
        Member(where, entry, name, JsonValueKind.String).GetString()!;

    private static int Count(string where, JsonElement entry, string name) =>
        Member(where, entry, name, JsonValueKind.Number) is var number && number.TryGetInt32(out int count) && count > 0
        ? count
        : throw new InvalidDataException($"{where}: {name} must be a whole number above 0, got {number}");

    private static JsonElement Member(string where, JsonElement entry, string name, JsonValueKind kind)
    {
        if (entry.ValueKind != JsonValueKind.Object || !entry.TryGetProperty(name, out var member))
            throw new InvalidDataException($"{where} has no {name}");
        return member.ValueKind == kind ? member
            : throw new InvalidDataException($"{where}: {name} must be {Words(kind)}, got {Words(member.ValueKind)}");
    }

    private static string Words(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "an array",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => kind.ToString().ToLowerInvariant(),
    };
}
