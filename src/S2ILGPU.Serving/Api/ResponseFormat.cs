using S2ILGPU.Grammars;

namespace S2ILGPU.Serving.Api;

/// <summary>The field <c>response_format</c>.</summary>
internal static class ResponseFormat
{
    private const string Field = "response_format";

    /// <summary>What the text must be; null for any text.</summary>
    /// <exception cref="ApiException">The format is unknown, or the schema uses what grammars do not know.</exception>
    public static Grammar? Read(RequestBody body)
    {
        if (body.Inner(Field) is not { } format)
            return null;
        return format.Text("type") switch
        {
            "text" => null,
            "json_object" => Grammar.JsonObject,
            "json_schema" => Schema(format.Inner("json_schema")
                ?? throw ApiException.Invalid(Field, $"'{Field}.json_schema' is missing")),
            null => throw ApiException.Invalid(Field, $"'{Field}.type' is missing"),
            var type => throw ApiException.Unsupported(Field,
                $"'{Field}' has the type '{Excerpt.Of(type)}', supported are text, json_object and json_schema"),
        };
    }

    private static Grammar Schema(RequestBody format)
    {
        string name = format.Name("name");
        var schema = format.Find("schema")
            ?? throw ApiException.Invalid(Field, $"'{Field}.json_schema.schema' is missing");
        format.Flag("strict"); // a text meets the schema in any case
        try
        {
            return Grammar.FromJsonSchema(schema);
        }
        catch (ArgumentException e)
        {
            throw ApiException.Invalid(Field,
                $"Invalid schema for {Field} '{name}': {Excerpt.OfReason(e.Message)}");
        }
    }
}
