using System.Text.Json;

namespace S2ILGPU.Grammars;

/// <summary>From a JSON schema to rules.</summary>
internal sealed class JsonSchemaReader(JsonGrammarBuilder builder, JsonElement root)
{
    private const int MaxCount = 10_000, MaxConstants = 1000, MaxDepth = 200;

    // What changes no text.
    private static readonly HashSet<string> s_annotations = ["title", "description", "default", "examples", "$schema",
        "$id", "$comment", "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "strict", "name"];

    private static readonly Dictionary<string, string[]> s_keywords = new()
    {
        ["object"] = ["properties", "required", "additionalProperties"],
        ["array"] = ["items", "minItems", "maxItems"],
        ["string"] = ["minLength", "maxLength"],
        ["number"] = [],
        ["integer"] = [],
        ["boolean"] = [],
        ["null"] = [],
    };

    private readonly Dictionary<string, int> _references = [];
    private int _depth;

    /// <summary>The rule of the whole schema.</summary>
    /// <exception cref="ArgumentException">The schema uses another keyword, or is no schema.</exception>
    public int Rule() => Rule(root, "#");

    private int Rule(JsonElement schema, string path)
    {
        if (++_depth > MaxDepth)
            throw new ArgumentException($"JSON schema {path}: schemas within schemas are more than {MaxDepth} deep");
        int rule = AnyRule(schema, path);
        _depth--;
        return rule;
    }

    private int AnyRule(JsonElement schema, string path)
    {
        if (schema.ValueKind == JsonValueKind.True)
            return builder.Value();
        if (schema.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"JSON schema {path}: must be an object or true, got {schema.GetRawText()}");
        foreach (string keyword in (string[])["$ref", "enum", "const", "anyOf", "oneOf", "allOf"])
            if (schema.TryGetProperty(keyword, out var value))
            {
                // a type beside these says nothing new for the values that they list
                CheckKeywords(schema, path, keyword is "enum" or "const" ? [keyword, "type"] : [keyword]);
                return keyword switch
                {
                    "$ref" => Reference(value, path),
                    "enum" => builder.OneOf(Constants(value, $"{path}/enum")),
                    "const" => builder.OneOf([Constant(value)]),
                    "allOf" => Items(value, $"{path}/allOf") is [var only] ? Rule(only, $"{path}/allOf/0")
                        : throw new ArgumentException($"JSON schema {path}: allOf of several schemas is not supported"),
                    _ => Alternatives(Items(value, $"{path}/{keyword}")
                        .Select((part, i) => Rule(part, $"{path}/{keyword}/{i}"))),
                };
            }
        return Typed(schema, path);
    }

    private int Typed(JsonElement schema, string path)
    {
        string[] types = !schema.TryGetProperty("type", out var type) ? Guess(schema)
            : type.ValueKind == JsonValueKind.String ? [type.GetString()!]
            : [.. Items(type, $"{path}/type").Select(name => Text(name, $"{path}/type"))];
        foreach (string name in types)
            if (!s_keywords.ContainsKey(name))
                throw new ArgumentException($"JSON schema {path}: unknown type '{name}'");
        CheckKeywords(schema, path, ["type", .. types.SelectMany(name => s_keywords[name])]);
        return types.Length == 0 ? builder.Value() : Alternatives(types.Select(name => name switch
        {
            "object" => Object(schema, path),
            "array" => builder.Array(schema.TryGetProperty("items", out var items) ? Rule(items, $"{path}/items")
                : builder.Value(), Count(schema, "minItems", path) ?? 0, Most(schema, "minItems", "maxItems", path)),
            "string" => builder.String(Count(schema, "minLength", path) ?? 0,
                Most(schema, "minLength", "maxLength", path)),
            "number" => builder.Number(),
            "integer" => builder.Integer(),
            "boolean" => builder.Rule(JsonGrammarBuilder.Text("true"), JsonGrammarBuilder.Text("false")),
            _ => builder.Rule(JsonGrammarBuilder.Text("null")),
        }));
    }

    // A schema without a type that has keywords of objects or arrays means these.
    private static string[] Guess(JsonElement schema) =>
        schema.TryGetProperty("properties", out _) ? ["object"]
        : schema.TryGetProperty("items", out _) ? ["array"] : [];

    private int Object(JsonElement schema, string path)
    {
        JsonProperty[] properties = !schema.TryGetProperty("properties", out var named) ? []
            : named.ValueKind == JsonValueKind.Object ? [.. named.EnumerateObject()]
            : throw new ArgumentException(
                $"JSON schema {path}/properties: must be an object, got {named.GetRawText()}");
        HashSet<string> required = schema.TryGetProperty("required", out var names) && !IsEmptyArray(names)
            ? [.. Items(names, $"{path}/required").Select(name => Text(name, $"{path}/required"))] : [];
        if (required.FirstOrDefault(name => !properties.Any(p => p.Name == name)) is { } unknown)
            throw new ArgumentException($"JSON schema {path}: required '{unknown}' is not among the properties");
        bool isOpen = !schema.TryGetProperty("additionalProperties", out var additional)
            || additional.ValueKind != JsonValueKind.False;
        if (properties.Length == 0 && isOpen)
            return builder.Map(additional.ValueKind == JsonValueKind.Object
                ? Rule(additional, $"{path}/additionalProperties") : builder.Value());
        // rules of what follows property i, after none and after some before it
        int first = builder.Rule([[]]), later = first;
        for (int i = properties.Length - 1; i >= 0; i--)
        {
            var property = properties[i];
            int value = Rule(property.Value, $"{path}/properties/{property.Name}");
            GrammarElement[] member = [.. JsonGrammarBuilder.Text(Quoted(property.Name)),
                GrammarElement.Of(builder.Space()), ByteSet.Of(":"), GrammarElement.Of(builder.Space()),
                GrammarElement.Of(value), GrammarElement.Of(builder.Space()), GrammarElement.Of(later)];
            GrammarElement[] after = [GrammarElement.Of(builder.Comma()), .. member];
            bool isOptional = !required.Contains(property.Name);
            (first, later) = (isOptional ? builder.Rule(member, [GrammarElement.Of(first)]) : builder.Rule(member),
                isOptional ? builder.Rule(after, [GrammarElement.Of(later)]) : builder.Rule(after));
        }
        return builder.Enclosed('{', first, '}');
    }

    private int Reference(JsonElement value, string path)
    {
        string target = Text(value, $"{path}/$ref");
        if (_references.TryGetValue(target, out int known))
            return known;
        if (target != "#" && !target.StartsWith("#/", StringComparison.Ordinal))
            throw new ArgumentException($"JSON schema {path}: $ref '{target}' does not point into the schema");
        var found = root;
        foreach (string part in target.Split('/').Skip(1))
        {
            string name = part.Replace("~1", "/").Replace("~0", "~");
            if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(name, out found))
                throw new ArgumentException($"JSON schema {path}: $ref '{target}' points nowhere");
        }
        int rule = _references[target] = builder.Reserve();
        builder.Define(rule, [GrammarElement.Of(Rule(found, target))]);
        return rule;
    }

    private int Alternatives(IEnumerable<int> rules)
    {
        int[] all = [.. rules];
        return all.Length == 1 ? all[0] : builder.Rule([.. all.Select(rule => new[] { GrammarElement.Of(rule) })]);
    }

    private static void CheckKeywords(JsonElement schema, string path, IReadOnlyCollection<string> known)
    {
        foreach (var keyword in schema.EnumerateObject())
            if (!known.Contains(keyword.Name) && !s_annotations.Contains(keyword.Name))
                throw new ArgumentException($"JSON schema {path}: '{keyword.Name}' is not supported here");
    }

    private static JsonElement[] Items(JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 ? [.. value.EnumerateArray()]
        : throw new ArgumentException($"JSON schema {path}: must be a list with items, got {value.GetRawText()}");

    private static bool IsEmptyArray(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0;

    private static string Text(JsonElement value, string path) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : throw new ArgumentException($"JSON schema {path}: must be text, got {value.GetRawText()}");

    private static IEnumerable<byte[]> Constants(JsonElement value, string path) =>
        Items(value, path) is { Length: <= MaxConstants } items ? items.Select(Constant)
        : throw new ArgumentException($"JSON schema {path}: at most {MaxConstants} values are supported");

    private static int? Count(JsonElement schema, string keyword, string path)
    {
        if (!schema.TryGetProperty(keyword, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int count)
            && count is >= 0 and <= MaxCount ? count
            : throw new ArgumentException(
                $"JSON schema {path}: {keyword} must be 0 to {MaxCount}, got {value.GetRawText()}");
    }

    private static int? Most(JsonElement schema, string least, string most, string path) =>
        Count(schema, most, path) is not { } count ? null
        : count >= (Count(schema, least, path) ?? 0) ? count
        : throw new ArgumentException($"JSON schema {path}: {most} {count} is below {least}");

    private static byte[] Constant(JsonElement value) =>
        JsonSerializer.SerializeToUtf8Bytes(value, GrammarJson.Plain.JsonElement);

    private static string Quoted(string name) => JsonSerializer.Serialize(name, GrammarJson.Plain.String);
}
