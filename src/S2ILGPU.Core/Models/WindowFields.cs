using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The sliding windows of a <c>config.json</c>: <c>sliding_window</c>, in all layers, in the upper ones, or
/// where <c>layer_types</c> says so.</summary>
/// <remarks>A query reads as many tokens as the window has, itself included. A window that is as long as the context
/// hides nothing: those layers are dense.</remarks>
internal static class WindowFields
{
    private const string Window = "sliding_window", Types = "layer_types", Uses = "use_sliding_window",
        FullLayers = "max_window_layers", Full = "full_attention", Sliding = "sliding_attention";

    private const int DefaultUpperWindow = 4096, DefaultFullLayers = 28;

    /// <summary>A window in all layers.</summary>
    /// <param name="fields">The fields.</param>
    /// <param name="config">What was read of them so far.</param>
    /// <param name="absent">The window where the field is absent; null for none. A field with null is none.</param>
    public static AttentionPlan Read(ConfigFields fields, TransformerConfig config, int? absent) =>
        Plan(config, fields.Has(Window) ? fields.Find(Window) is { } window ? window.Integer() : null : absent,
            _ => true);

    /// <summary>A window in the layers from <c>max_window_layers</c> on, where <c>use_sliding_window</c> says
    /// so.</summary>
    public static AttentionPlan ReadUpper(ConfigFields fields, TransformerConfig config)
    {
        bool isOn = fields.Boolean(Uses, false);
        int first = fields.Integer(FullLayers, DefaultFullLayers);
        int? window = fields.Has(Window) ? fields.Find(Window)?.Integer() : DefaultUpperWindow;
        bool[]? types = fields.Find(Types) is { } list ? ReadTypes(list, config.Layers) : null;
        window = isOn ? window : null;
        if (types is not null && window is null && types.Contains(true))
            throw fields.Member(Types).Wrong($"\"{Full}\" in every layer where no window is on");
        return Plan(config, window, layer => types?[layer] ?? layer >= first);
    }

    /// <summary>Whether the fields can say a plan: at most one window, and dense layers.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="isPerLayer">Whether layers may differ.</param>
    public static bool Express(AttentionPlan plan, bool isPerLayer)
    {
        var kinds = plan.Distinct().ToArray();
        return kinds.Length <= (isPerLayer ? 2 : 1)
            && kinds.Count(IsWindow) <= 1 && kinds.All(kind => IsWindow(kind) || kind == new DenseAttention());
    }

    /// <summary>Writes the windows of a plan that the fields can say.</summary>
    /// <param name="writer">The writer.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="isPerLayer">Whether layers may differ.</param>
    public static void Write(Utf8JsonWriter writer, TransformerConfig config, bool isPerLayer)
    {
        var window = config.Attention.OfType<TokenWindowAttention>().FirstOrDefault();
        if (isPerLayer)
            writer.WriteBoolean(Uses, window is not null);
        if (window is null)
        {
            writer.WriteNull(Window);
            return;
        }
        writer.WriteNumber(Window, window.WindowTokens);
        if (!isPerLayer)
            return;
        writer.WriteStartArray(Types);
        for (int layer = 0; layer < config.Layers; layer++)
            writer.WriteStringValue(config.Attention[layer] is TokenWindowAttention ? Sliding : Full);
        writer.WriteEndArray();
    }

    private static bool IsWindow(AttentionConfig attention) =>
        attention is TokenWindowAttention window
        && window == new TokenWindowAttention { WindowTokens = window.WindowTokens };

    private static AttentionPlan Plan(TransformerConfig config, int? window, Func<int, bool> hasWindow)
    {
        if (window is not { } tokens || tokens >= config.ContextTokens)
            return AttentionPlan.Dense;
        var (dense, sliding) = (new DenseAttention(), new TokenWindowAttention { WindowTokens = tokens });
        bool[] layers = [.. Enumerable.Range(0, config.Layers).Select(hasWindow)];
        return layers.Distinct().Count() == 1 ? new AttentionPlan(layers[0] ? sliding : dense)
            : new AttentionPlan(layers.Select(has => has ? (AttentionConfig)sliding : dense));
    }

    private static bool[] ReadTypes(JsonValue list, int layers)
    {
        bool[] types = [.. list.Items().Select(item => item.OneOf(Full, Sliding) == Sliding)];
        return types.Length == layers ? types : throw list.Wrong($"a list of {layers} entries, one per layer");
    }
}
