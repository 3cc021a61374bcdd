using System.Text.Json;

namespace S2ILGPU.Storage;

/// <summary>Says in our own words why a text is not JSON that we read.</summary>
internal static class JsonDiagnosis
{
    /// <summary>Line and column of the fault, or the name that stands twice.</summary>
    /// <param name="utf8">The text that was refused.</param>
    /// <param name="failure">The refusal.</param>
    public static string Explain(ReadOnlySpan<byte> utf8, JsonException failure)
    {
        if (FindDuplicate(utf8) is { } name)
            return $"the name '{name}' stands twice in one object";
        return failure is { LineNumber: { } line, BytePositionInLine: { } column }
            ? $"fault at line {line + 1}, byte {column + 1}" : "its structure is broken";
    }

    private static string? FindDuplicate(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        var objects = new Stack<HashSet<string>>();
        try
        {
            while (reader.Read())
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject:
                        objects.Push([]);
                        break;
                    case JsonTokenType.EndObject:
                        objects.Pop();
                        break;
                    case JsonTokenType.PropertyName when !objects.Peek().Add(reader.GetString()!):
                        return reader.GetString();
                }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The fault comes before a name stands twice.
        }
        return null;
    }
}
