using System.Text.Json;
using System.Text.Json.Serialization;

namespace S2ILGPU.Cluster.Wire;

/// <summary>How requests and tokens travel: as JSON, so that a new property of a record travels without a second
/// description of it.</summary>
internal static class WireJson
{
    // A log-probability may be -infinity; a receiver of tokens is null and left out.
    public static JsonSerializerOptions Options { get; } = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Whether a type travels this way.</summary>
    public static bool Serves(Type type) =>
        type.Namespace is "S2ILGPU.Scheduling" || type.Namespace == typeof(WireJson).Namespace;
}
