using System.Text.Json;
using System.Text.Json.Serialization;

namespace S2ILGPU.Grammars;

/// <summary>Grammars as JSON: the forms that they were made of, or <c>"json_object"</c>.</summary>
internal sealed class GrammarConverter : JsonConverter<Grammar>
{
    private const string AnyObject = "json_object", Before = "before", Schema = "schema", After = "after";

    public override void Write(Utf8JsonWriter writer, Grammar value, JsonSerializerOptions options)
    {
        if (value.Forms is null)
        {
            writer.WriteStringValue(AnyObject);
            return;
        }
        writer.WriteStartArray();
        foreach (var form in value.Forms)
        {
            writer.WriteStartObject();
            writer.WriteString(Before, form.Before);
            writer.WritePropertyName(Schema);
            form.Schema.WriteTo(writer);
            writer.WriteString(After, form.After);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    /// <exception cref="JsonException">It is not what <see cref="Write"/> writes.</exception>
    public override Grammar Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        if (root.ValueKind == JsonValueKind.String && root.ValueEquals(AnyObject))
            return Grammar.JsonObject;
        if (root.ValueKind != JsonValueKind.Array)
            throw new JsonException($"a grammar is '{AnyObject}' or an array of forms, got {root.ValueKind}");
        return Grammar.FromForms(root.EnumerateArray().Select(form => (form.GetProperty(Before).GetString()!,
            form.GetProperty(Schema), form.GetProperty(After).GetString()!)));
    }
}
