using System.Text.Json;
using S2ILGPU.Patterns;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The field <c>s2_attention</c>: one object for all layers, or an array of one object per layer.</summary>
internal static class AttentionPlanJson
{
    public const string Field = "s2_attention";

    private const int MaxEntries = 1024;
    private const string Kind = "kind", BlockTokens = "block_tokens", LocalBlocks = "local_blocks",
        VerticalStride = "vertical_stride",
        WindowBlocks = "window_blocks",
        WindowTokens = "window_tokens",
        SinkBlocks = "sink_blocks",
        NearBlocks = "near_blocks",
        NearStride = "near_stride",
        FarStride = "far_stride",
        HeadOffset = "head_offset",
        HomogeneousHeads = "homogeneous_heads", DenseHeads = "dense_heads", SlideBy = "slide_by", ByQuery = "query",
            ByKeyValue = "kv";

    public static void Write(Utf8JsonWriter writer, AttentionPlan plan)
    {
        writer.WritePropertyName(Field);
        if (plan.Count > 1)
            writer.WriteStartArray();
        foreach (var attention in plan)
            Write(writer, attention);
        if (plan.Count > 1)
            writer.WriteEndArray();
    }

    public static AttentionPlan Read(JsonValue value)
    {
        if (!value.IsArray)
            return new AttentionPlan(ReadEntry(value));
        return value.Count is >= 1 and <= MaxEntries ? new AttentionPlan(value.Items().Select(ReadEntry))
            : throw value.Wrong($"a list of 1 to {MaxEntries} entries");
    }

    private static void Write(Utf8JsonWriter writer, AttentionConfig attention)
    {
        writer.WriteStartObject();
        writer.WriteString(Kind, attention.Kind);
        writer.WriteNumber(BlockTokens, attention.BlockTokens);
        switch (attention)
        {
            case LocalStrideAttention a:
                writer.WriteNumber(LocalBlocks, a.LocalBlocks);
                writer.WriteNumber(VerticalStride, a.VerticalStride);
                Write(writer, a.Stripes);
                break;
            case SlidingWindowAttention a:
                writer.WriteNumber(WindowBlocks, a.WindowBlocks);
                writer.WriteNumber(SinkBlocks, a.SinkBlocks);
                break;
            case TokenWindowAttention a:
                writer.WriteNumber(WindowTokens, a.WindowTokens);
                break;
            case TwoRangeAttention a:
                writer.WriteNumber(LocalBlocks, a.LocalBlocks);
                writer.WriteNumber(NearBlocks, a.NearBlocks);
                writer.WriteNumber(NearStride, a.NearStride);
                writer.WriteNumber(FarStride, a.FarStride);
                Write(writer, a.Stripes);
                break;
            case DenseAttention:
                break;
            default:
                throw new ArgumentException(
                $"attention of kind {attention.Kind} cannot be written to a configuration file");
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, StripeOptions stripes)
    {
        writer.WriteNumber(HeadOffset, stripes.HeadOffset);
        writer.WriteBoolean(HomogeneousHeads, stripes.HomogeneousHeads);
        writer.WriteNumber(DenseHeads, stripes.DenseHeads);
        writer.WriteString(SlideBy, stripes.SlideByQueryHead ? ByQuery : ByKeyValue);
    }

    private static AttentionConfig ReadEntry(JsonValue fields)
    {
        var (dense, stride, window, twoRange, tokens) = (new DenseAttention(), new LocalStrideAttention(),
            new SlidingWindowAttention(), new TwoRangeAttention(), new TokenWindowAttention());
        string kind = fields.Choice(Kind, null, dense.Kind, stride.Kind, window.Kind, twoRange.Kind, tokens.Kind);
        if (kind == stride.Kind)
        {
            fields.Only(Kind, BlockTokens, LocalBlocks, VerticalStride, HeadOffset, HomogeneousHeads,
                DenseHeads, SlideBy);
            return stride with
            {
                BlockTokens = fields.Integer(BlockTokens, stride.BlockTokens),
                LocalBlocks = fields.Integer(LocalBlocks, stride.LocalBlocks),
                VerticalStride = fields.Integer(VerticalStride, stride.VerticalStride),
                Stripes = ReadStripes(fields),
            };
        }
        if (kind == window.Kind)
        {
            fields.Only(Kind, BlockTokens, WindowBlocks, SinkBlocks);
            return window with
            {
                BlockTokens = fields.Integer(BlockTokens, window.BlockTokens),
                WindowBlocks = fields.Integer(WindowBlocks, window.WindowBlocks),
                SinkBlocks = fields.Integer(SinkBlocks, window.SinkBlocks),
            };
        }
        if (kind == tokens.Kind)
        {
            fields.Only(Kind, BlockTokens, WindowTokens);
            return tokens with
            {
                BlockTokens = fields.Integer(BlockTokens, tokens.BlockTokens),
                WindowTokens = fields.Integer(WindowTokens, tokens.WindowTokens),
            };
        }
        if (kind == twoRange.Kind)
        {
            fields.Only(Kind, BlockTokens, LocalBlocks, NearBlocks, NearStride, FarStride, HeadOffset, HomogeneousHeads,
                DenseHeads, SlideBy);
            return twoRange with
            {
                BlockTokens = fields.Integer(BlockTokens, twoRange.BlockTokens),
                LocalBlocks = fields.Integer(LocalBlocks, twoRange.LocalBlocks),
                NearBlocks = fields.Integer(NearBlocks, twoRange.NearBlocks),
                NearStride = fields.Integer(NearStride, twoRange.NearStride),
                FarStride = fields.Integer(FarStride, twoRange.FarStride),
                Stripes = ReadStripes(fields),
            };
        }
        fields.Only(Kind, BlockTokens);
        return dense with { BlockTokens = fields.Integer(BlockTokens, dense.BlockTokens) };
    }

    private static StripeOptions ReadStripes(JsonValue fields) => new()
    {
        HeadOffset = fields.Integer(HeadOffset, 0),
        HomogeneousHeads = fields.Boolean(HomogeneousHeads, false),
        DenseHeads = fields.Integer(DenseHeads, 0),
        SlideByQueryHead = fields.Choice(SlideBy, ByKeyValue, ByQuery, ByKeyValue) == ByQuery,
    };
}
