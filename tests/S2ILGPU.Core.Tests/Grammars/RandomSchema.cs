using System.Text.Json;
using System.Text.Json.Nodes;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Grammars;

/// <summary>Random JSON schemas of the keywords that grammars know.</summary>
internal static class RandomSchema
{
    public static JsonElement Create(Random random)
    {
        var schema = random.Next(4) == 0 ? Node(random, 3) : Object(random, 0);
        // a type that refers to itself
        schema["$defs"] = new JsonObject
        {
            ["tree"] = new JsonObject
            {
                ["type"] = "array",
                ["items"] = new JsonObject
                {
                    ["anyOf"] = new JsonArray(new JsonObject { ["$ref"] = "#/$defs/tree" }, Node(random, 3)),
                },
                ["maxItems"] = random.Next(1, 3),
            },
        };
        return schema.Deserialize<JsonElement>();
    }

    private static JsonObject Node(Random random, int depth) => random.Next(depth < 3 ? 11 : 8) switch
    {
        0 => new JsonObject { ["type"] = random.Pick("integer", "number", "boolean", "null") },
        1 => new JsonObject { ["type"] = new JsonArray("boolean", random.Pick("integer", "null", "string")) },
        2 or 3 => Text(random),
        4 => new JsonObject { ["enum"] = new JsonArray("red", "redder", "\"\u00e4\\", random.Next(100), null) },
        5 => new JsonObject { ["const"] = new JsonObject { ["a"] = new JsonArray(1, "b", 2.5) } },
        6 => new JsonObject { ["$ref"] = "#/$defs/tree" },
        7 => new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = new JsonObject { ["type"] = random.Pick("integer", "boolean") },
        },
        8 => Array(random, depth),
        9 => new JsonObject { ["anyOf"] = new JsonArray(Node(random, depth + 1), Node(random, depth + 1)) },
        _ => Object(random, depth),
    };

    private static JsonObject Text(Random random)
    {
        int least = random.Next(3);
        var schema = new JsonObject { ["type"] = "string", ["minLength"] = least };
        if (random.Next(3) > 0)
            schema["maxLength"] = least + random.Next(4);
        return schema;
    }

    private static JsonObject Array(Random random, int depth)
    {
        int least = random.Next(3);
        var schema = new JsonObject { ["type"] = "array", ["minItems"] = least };
        if (random.Next(3) > 0)
            schema["maxItems"] = least + random.Next(3);
        if (random.Next(5) > 0)
            schema["items"] = Node(random, depth + 1);
        return schema;
    }

    private static JsonObject Object(Random random, int depth)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        for (int i = random.Next(4); i >= 0; i--)
        {
            properties[$"p{i}"] = Node(random, depth + 1);
            if (random.Next(2) == 0)
                required.Add($"p{i}");
        }
        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
        if (random.Next(2) == 0)
            schema["additionalProperties"] = false;
        return schema;
    }
}
