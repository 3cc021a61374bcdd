using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The rotary angles of a <c>config.json</c> in all its spellings: <c>rope_theta</c> beside or inside
/// <c>rope_parameters</c>, <c>rope_scaling</c> with <c>type</c> or <c>rope_type</c>.</summary>
/// <param name="Theta">Base of the angles.</param>
/// <param name="Factor">Positions are divided by this: linear scaling; 1 for none.</param>
internal readonly record struct RotaryScaling(double Theta, double Factor)
{
    private const double DefaultTheta = 10000;
    private const string Parameters = "rope_parameters", Scaling = "rope_scaling", ThetaKey = "rope_theta",
        FactorKey = "factor", TypeKey = "rope_type", LegacyTypeKey = "type", PartialKey = "partial_rotary_factor",
        Unscaled = "default", Linear = "linear";

    /// <summary>Reads the angles; a scaling that is not computed here is refused by its name, and so are two places
    /// that contradict each other.</summary>
    public static RotaryScaling Read(JsonValue root)
    {
        double? theta = root.Find(ThetaKey)?.Number();
        double? factor = null;
        foreach (string place in (ReadOnlySpan<string>)[Parameters, Scaling])
        {
            if (root.Find(place) is not { } value)
                continue;
            var (innerTheta, innerFactor) = ReadObject(value);
            if (theta is { } known && innerTheta is { } other && known != other)
                throw value.Member(ThetaKey).Wrong(FormattableString.Invariant($"{known} as elsewhere in the file"));
            theta ??= innerTheta;
            if (factor is { } outer && outer != innerFactor)
                throw value.Wrong(FormattableString.Invariant($"a scaling by {outer} like {Parameters}"));
            factor = innerFactor;
        }
        return new RotaryScaling(theta ?? DefaultTheta, factor ?? 1);
    }

    /// <summary>Writes the angles as other tools read them.</summary>
    public static void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        writer.WriteNumber(ThetaKey, config.RopeTheta);
        if (config.RopeFactor == 1)
            return;
        writer.WriteStartObject(Scaling);
        writer.WriteString(TypeKey, Linear);
        writer.WriteString(LegacyTypeKey, Linear);
        writer.WriteNumber(FactorKey, config.RopeFactor);
        writer.WriteEndObject();
    }

    private static (double? Theta, double Factor) ReadObject(JsonValue value)
    {
        string type = value.Choice(TypeKey, value.Find(LegacyTypeKey) is null ? Unscaled
            : value.Choice(LegacyTypeKey, null, Unscaled, Linear), Unscaled, Linear);
        if (value.Find(LegacyTypeKey) is { } legacy && legacy.OneOf(Unscaled, Linear) != type)
            throw legacy.Wrong($"\"{type}\" like {TypeKey}");
        value.Only(TypeKey, LegacyTypeKey, ThetaKey, FactorKey, PartialKey);
        if (value.Find(PartialKey) is { } partial && partial.Number() != 1)
            throw partial.Wrong("1");
        double factor = value.Number(FactorKey, type == Linear ? null : 1);
        if (type == Unscaled && factor != 1)
            throw value.Member(FactorKey).Wrong($"1 with {TypeKey} \"{Unscaled}\"");
        return (value.Find(ThetaKey)?.Number(), factor);
    }
}
