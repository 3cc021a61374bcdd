using System.Text;
using System.Text.Json;

namespace S2ILGPU.Core.Tests.Grammars;

/// <summary>Whether a JSON value meets a schema, by the rules of JSON schema and none of the grammar's code: for the
/// keywords that <see cref="RandomSchema"/> uses.</summary>
internal static class SchemaValidator
{
    public static bool Accepts(JsonElement schema, JsonElement value) => Accepts(schema, schema, value);

    private static bool Accepts(JsonElement root, JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind == JsonValueKind.True)
            return true;
        foreach (var keyword in schema.EnumerateObject())
            if (!(keyword.Name switch
            {
                "$defs" or "required" or "properties" => true,
                "$ref" => Accepts(root, root.GetProperty("$defs").GetProperty(keyword.Value.GetString()!["#/$defs/"
                    .Length..]), value),
                "type" => keyword.Value.ValueKind == JsonValueKind.Array
                    ? keyword.Value.EnumerateArray().Any(type => HasType(type.GetString()!, value))
                    : HasType(keyword.Value.GetString()!, value),
                "enum" => keyword.Value.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)),
                "const" => JsonElement.DeepEquals(keyword.Value, value),
                "anyOf" => keyword.Value.EnumerateArray().Any(part => Accepts(root, part, value)),
                "minLength" => value.ValueKind != JsonValueKind.String || Length(value) >= keyword.Value.GetInt32(),
                "maxLength" => value.ValueKind != JsonValueKind.String || Length(value) <= keyword.Value.GetInt32(),
                "minItems" => value.ValueKind != JsonValueKind.Array
                    || value.GetArrayLength() >= keyword.Value.GetInt32(),
                "maxItems" => value.ValueKind != JsonValueKind.Array
                    || value.GetArrayLength() <= keyword.Value.GetInt32(),
                "items" => value.ValueKind != JsonValueKind.Array
                    || value.EnumerateArray().All(item => Accepts(root, keyword.Value, item)),
                "additionalProperties" => true,
                _ => throw new ArgumentException($"unknown keyword {keyword.Name}"),
            }))
                return false;
        return value.ValueKind != JsonValueKind.Object || Members(root, schema, value);
    }

    private static bool Members(JsonElement root, JsonElement schema, JsonElement value)
    {
        bool hasNamed = schema.TryGetProperty("properties", out var properties);
        bool hasOthers = schema.TryGetProperty("additionalProperties", out var additional);
        if (schema.TryGetProperty("required", out var required)
            && !required.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)))
            return false;
        return value.EnumerateObject().All(member =>
            hasNamed && properties.TryGetProperty(member.Name, out var known) ? Accepts(root, known, member.Value)
            : !hasOthers || (additional.ValueKind != JsonValueKind.False && Accepts(root, additional, member.Value)));
    }

    private static int Length(JsonElement value) => value.GetString()!.EnumerateRunes().Count();

    private static bool HasType(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number
            && value.GetRawText().TrimStart('-').All(char.IsAsciiDigit),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => value.ValueKind == JsonValueKind.Null,
    };
}
