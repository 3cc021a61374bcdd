using System.Text.Json;
using System.Text.Json.Serialization;

namespace S2ILGPU.Grammars;

/// <summary>How constants of a schema are written: without white space, letters of all scripts as they are.</summary>
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(string))]
internal sealed partial class GrammarJson : JsonSerializerContext
{
    private static readonly JsonSerializerOptions s_plain = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The same with those options.</summary>
    public static GrammarJson Plain { get; } = new(s_plain);
}
