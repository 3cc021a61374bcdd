using System.Text.Json;
using S2ILGPU.Ops;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The rotary angles of a <c>config.json</c> in all their spellings: <c>rope_theta</c> beside or inside
/// <c>rope_parameters</c>, <c>rope_scaling</c> with <c>type</c> or <c>rope_type</c>.</summary>
internal static class RotaryFields
{
    private const double DefaultTheta = 10000;
    private const string Parameters = "rope_parameters", Scaling = "rope_scaling", ThetaKey = "rope_theta",
        TypeKey = "rope_type", LegacyTypeKey = "type", PartialKey = "partial_rotary_factor",
        OriginalKey = "original_max_position_embeddings", FactorKey = "factor", Unscaled = "default",
        AttentionKey = "attention_factor", LowKey = "low_freq_factor", HighKey = "high_freq_factor",
        FastKey = "beta_fast", SlowKey = "beta_slow", ScaleKey = "mscale", ScaleAllKey = "mscale_all_dim",
        TruncateKey = "truncate", ShortKey = "short_factor", LongKey = "long_factor", ShortScaleKey = "short_mscale",
        LongScaleKey = "long_mscale", ContextKey = "max_position_embeddings";

    // "su" is what longrope was called first.
    private static readonly string[] s_kinds = [Unscaled, "linear", "dynamic", "llama3", "yarn", "longrope", "su"];

    /// <summary>Reads the context and the angles; a scaling that is not computed here is refused by its name, and so
    /// are two places that contradict each other.</summary>
    /// <param name="fields">The fields.</param>
    /// <param name="isPartial">Whether a part of a head may stay without a position.</param>
    public static RotaryAngles Read(ConfigFields fields, bool isPartial)
    {
        int context = fields.Integer(ContextKey);
        double? theta = fields.Find(ThetaKey)?.Number(), fraction = fields.Find(PartialKey)?.Number();
        int? original = fields.Find(OriginalKey)?.Integer();
        Whole(fields.Find(PartialKey), isPartial);
        (RotaryScaling? Scaling, int Context, string Place)? found = null;
        foreach (string place in (ReadOnlySpan<string>)[Parameters, Scaling])
        {
            if (fields.Find(place) is not { } value)
                continue;
            Whole(value.Find(PartialKey), isPartial);
            theta = Agreed(theta, value, ThetaKey);
            fraction = Agreed(fraction, value, PartialKey);
            var scaling = ReadScaling(value, original, context);
            // As for Hugging Face, max_position_embeddings beside dynamic scaling is the original context; where both
            // are given it is the whole one, as with other scalings.
            int most = scaling is DynamicScaling dynamic && (value.Find(OriginalKey)?.Integer() ?? original) is null
                ? dynamic.ExtendedTokens : context;
            if (found is { } other && (other.Scaling, other.Context) != (scaling, most))
                throw value.Wrong($"the scaling of {other.Place}");
            found = (scaling, most, place);
        }
        return new RotaryAngles(theta ?? DefaultTheta, found?.Scaling, fraction ?? 1, found?.Context ?? context);
    }

    /// <summary>Writes the context as other tools read it.</summary>
    public static void WriteContext(Utf8JsonWriter writer, TransformerConfig config) => writer.WriteNumber(ContextKey,
        config.RopeScaling is DynamicScaling scaling && IsExtended(config, scaling) ? scaling.OriginalTokens
            : config.ContextTokens);

    /// <summary>Writes the angles as other tools read them.</summary>
    public static void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        writer.WriteNumber(ThetaKey, config.RopeTheta);
        if (config.RotaryFraction != 1)
            writer.WriteNumber(PartialKey, config.RotaryFraction);
        if (config.RopeScaling is not { } scaling)
            return;
        if (scaling is LongRopeScaling longRope)
            writer.WriteNumber(OriginalKey, longRope.OriginalTokens);
        WriteScaling(writer, config, scaling);
    }

    /// <summary>Writes the field <c>rope_scaling</c>.</summary>
    public static void WriteScaling(Utf8JsonWriter writer, TransformerConfig config, RotaryScaling scaling)
    {
        writer.WriteStartObject(Scaling);
        writer.WriteString(TypeKey, scaling.Kind);
        writer.WriteString(LegacyTypeKey, scaling.Kind);
        WriteNumbers(writer, config, scaling);
        writer.WriteEndObject();
    }

    private static void WriteNumbers(Utf8JsonWriter writer, TransformerConfig config, RotaryScaling scaling)
    {
        switch (scaling)
        {
            case LinearScaling s:
                writer.WriteNumber(FactorKey, s.Factor);
                break;
            case DynamicScaling s:
                writer.WriteNumber(FactorKey, s.Factor);
                if (!IsExtended(config, s))
                    writer.WriteNumber(OriginalKey, s.OriginalTokens);
                break;
            case Llama3Scaling s:
                writer.WriteNumber(FactorKey, s.Factor);
                writer.WriteNumber(LowKey, s.LowFrequencyFactor);
                writer.WriteNumber(HighKey, s.HighFrequencyFactor);
                writer.WriteNumber(OriginalKey, s.OriginalTokens);
                break;
            case YarnScaling s:
                writer.WriteNumber(FactorKey, s.Factor);
                writer.WriteNumber(OriginalKey, s.OriginalTokens);
                writer.WriteNumber(FastKey, s.FastTurns);
                writer.WriteNumber(SlowKey, s.SlowTurns);
                writer.WriteBoolean(TruncateKey, s.WholePairs);
                WriteOptional(AttentionKey, s.AttentionFactor);
                break;
            case LongRopeScaling s:
                writer.WriteNumber(OriginalKey, s.OriginalTokens);
                WriteList(ShortKey, s.ShortFactors);
                WriteList(LongKey, s.LongFactors);
                WriteOptional(ShortScaleKey, s.ShortMagnitude);
                WriteOptional(LongScaleKey, s.LongMagnitude);
                break;
            default:
                throw new ArgumentException($"a rotary scaling of kind {scaling.Kind} cannot be written");
        }

        void WriteOptional(string name, double? value)
        {
            if (value is { } number)
                writer.WriteNumber(name, number);
        }

        void WriteList(string name, ValueList<double> values)
        {
            writer.WriteStartArray(name);
            foreach (double value in values)
                writer.WriteNumberValue(value);
            writer.WriteEndArray();
        }
    }

    // Whether the context follows from the original one.
    private static bool IsExtended(TransformerConfig config, DynamicScaling scaling) =>
        config.ContextTokens == scaling.ExtendedTokens;

    private static RotaryScaling? ReadScaling(JsonValue value, int? outerOriginal, int contextTokens)
    {
        // What was "yarn" in early files of Phi-3 has the factors of longrope.
        string kind = ReadKind(value) is var named && named == "yarn" && value.Find(ShortKey) is not null ? "longrope"
            : named;
        int Original(int? absent = null) => value.Integer(OriginalKey, outerOriginal ?? absent);
        switch (kind)
        {
            case Unscaled:
                Only(value, FactorKey);
                return value.Number(FactorKey, 1) == 1 ? null
                    : throw value.Member(FactorKey).Wrong($"1 with {TypeKey} \"{Unscaled}\"");
            case "linear":
                Only(value, FactorKey);
                return value.Number(FactorKey) is 1 ? null : new LinearScaling(value.Number(FactorKey));
            case "dynamic":
                Only(value, FactorKey, OriginalKey);
                return value.Number(FactorKey) is >= 1 and <= 1e6
                    ? new DynamicScaling(value.Number(FactorKey), Original(contextTokens))
                    : throw value.Member(FactorKey).Wrong($"1 to 1e6 with {TypeKey} \"dynamic\"");
            case "llama3":
                Only(value, FactorKey, LowKey, HighKey, OriginalKey);
                return new Llama3Scaling(value.Number(FactorKey), value.Number(LowKey), value.Number(HighKey),
                    Original());
            case "yarn":
                return ReadYarn(value, Original(contextTokens));
            default:
                return ReadLongRope(value, Original(), contextTokens);
        }
    }

    private static YarnScaling ReadYarn(JsonValue value, int original)
    {
        Only(value, FactorKey, OriginalKey, AttentionKey, FastKey, SlowKey, ScaleKey, ScaleAllKey, TruncateKey);
        double factor = value.Number(FactorKey);
        double? attention = value.Find(AttentionKey)?.Number(), scale = value.Find(ScaleKey)?.Number(),
            scaleAll = value.Find(ScaleAllKey)?.Number();
        if (attention is null && scale is { } m and not 0 && scaleAll is { } all and not 0)
            attention = factor <= 1 ? 1 : (0.1 * m * Math.Log(factor) + 1) / (0.1 * all * Math.Log(factor) + 1);
        return new YarnScaling(factor, original)
        {
            FastTurns = value.Number(FastKey, 32),
            SlowTurns = value.Number(SlowKey, 1),
            AttentionFactor = attention,
            WholePairs = value.Boolean(TruncateKey, true),
        };
    }

    private static LongRopeScaling ReadLongRope(JsonValue value, int original, int contextTokens)
    {
        Only(value, FactorKey, OriginalKey, AttentionKey, ShortKey, LongKey, ShortScaleKey, LongScaleKey);
        double ratio = (double)contextTokens / original;
        if (value.Find(FactorKey) is { } factor && Math.Abs(factor.Number() - ratio) > 1e-6 * ratio)
            throw factor.Wrong(FormattableString.Invariant($"{ratio}, the context over the original one"));
        double? attention = value.Find(AttentionKey)?.Number();
        return new LongRopeScaling(Numbers(value.Member(ShortKey)), Numbers(value.Member(LongKey)), original)
        {
            ShortMagnitude = value.Find(ShortScaleKey)?.Number() ?? attention,
            LongMagnitude = value.Find(LongScaleKey)?.Number() ?? attention,
        };
    }

    private static ValueList<double> Numbers(JsonValue list) => new(list.Items().Select(item => item.Number()));

    private static string ReadKind(JsonValue value)
    {
        string kind = value.Choice(TypeKey, value.Find(LegacyTypeKey) is null ? Unscaled
            : value.Choice(LegacyTypeKey, null, s_kinds), s_kinds);
        if (value.Find(LegacyTypeKey) is { } legacy && legacy.OneOf(s_kinds) != kind)
            throw legacy.Wrong($"\"{kind}\" like {TypeKey}");
        return kind;
    }

    // Most architectures turn whole heads.
    private static void Whole(JsonValue? fraction, bool isPartial)
    {
        if (!isPartial && fraction is { } value && value.Number() != 1)
            throw value.Wrong("1");
    }

    private static double? Agreed(double? outer, JsonValue place, string name)
    {
        double? inner = place.Find(name)?.Number();
        return outer is null || inner is null || outer == inner ? outer ?? inner
            : throw place.Member(name).Wrong(FormattableString.Invariant($"{outer} as elsewhere in the file"));
    }

    private static void Only(JsonValue value, params string[] numbers) =>
        value.Only([TypeKey, LegacyTypeKey, ThetaKey, PartialKey, .. numbers]);
}

/// <summary>What a <c>config.json</c> says about positions.</summary>
/// <param name="Theta">Base of the angles.</param>
/// <param name="Scaling">How they are scaled; null for not at all.</param>
/// <param name="Fraction">The fraction of each head that turns.</param>
/// <param name="ContextTokens">Positions that the model knows.</param>
internal readonly record struct RotaryAngles(double Theta, RotaryScaling? Scaling, double Fraction, int ContextTokens);
