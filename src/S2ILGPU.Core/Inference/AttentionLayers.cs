using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Attention of all layers, without the weights: what a cache needs to know of a model.</summary>
internal sealed class AttentionLayers
{
    private readonly TransformerModel? _model;

    /// <summary>Attention of a model.</summary>
    /// <exception cref="ArgumentException">Ranks share its layers.</exception>
    public AttentionLayers(TransformerModel model)
        : this(model.Engine, model.Config, [.. Enumerable.Range(0, model.Config.Layers).Select(model.Pattern)],
        model.ActivationType, model.Layouts)
    {
        if (model.Shard is { } shard)
            throw new ArgumentException(
                $"{shard.Ranks} ranks share the layers of the model: save it, and load the folder to generate");
        _model = model;
    }

    /// <summary>Some of the heads of a configuration, on an engine without the model.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="queryHeads">Query heads of whole GQA groups.</param>
    /// <param name="activationType">Element type of queries, keys, values and outputs.</param>
    public AttentionLayers(IEngine engine, TransformerConfig config, Range queryHeads, ElementType activationType)
        : this(engine, config, [.. Slices(config, queryHeads)], activationType, new LayoutCache())
    {
    }

    /// <summary>Some of the heads of some layers of a model, on another engine.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="whole">All heads.</param>
    /// <param name="parts">Layers, and query heads of whole GQA groups of each.</param>
    public AttentionLayers(IEngine engine, AttentionLayers whole, IEnumerable<(int Layer, Range QueryHeads)> parts)
    {
        var patterns = new Dictionary<(AttentionPattern, Range), AttentionPattern>();
        AttentionPattern Slice(AttentionPattern pattern, Range heads) =>
            patterns.TryGetValue((pattern, heads), out var slice) ? slice
            : patterns[(pattern, heads)] = pattern.SliceHeads(heads);
        (Engine, Patterns, ActivationType, Layouts) = (engine,
            [.. parts.Select(part => Slice(whole.Patterns[part.Layer], part.QueryHeads))], whole.ActivationType,
            new LayoutCache());
        (HeadDim, Scale, ContextTokens) = (whole.HeadDim, whole.Scale, whole.ContextTokens);
    }

    private AttentionLayers(IEngine engine, TransformerConfig config, AttentionPattern[] patterns,
        ElementType activationType, LayoutCache layouts)
    {
        (Engine, Patterns, ActivationType, Layouts) = (engine, patterns, activationType, layouts);
        (HeadDim, Scale, ContextTokens) = (config.HeadDim, config.ScoreScale, config.ContextTokens);
    }

    public IEngine Engine { get; }

    /// <summary>The pattern of each layer that is here, over the heads that are here.</summary>
    public IReadOnlyList<AttentionPattern> Patterns { get; }

    public ElementType ActivationType { get; }

    public LayoutCache Layouts { get; }

    /// <summary>D.</summary>
    public int HeadDim { get; }

    /// <summary>Factor of the scores.</summary>
    public float Scale { get; }

    public int ContextTokens { get; }

    /// <summary>What chooses blocks at run time; null for the patterns.</summary>
    public SampleAttention? Sample => _model?.Sample;

    // Layers of one kind have one pattern, and with it one set of layouts.
    private static IEnumerable<AttentionPattern> Slices(TransformerConfig config, Range queryHeads)
    {
        var patterns = config.Attention.Distinct().ToDictionary(attention => attention, attention =>
            attention.CreatePattern(config.QueryHeads, config.KeyValueHeads).SliceHeads(queryHeads));
        return Enumerable.Range(0, config.Layers).Select(layer => patterns[config.Attention[layer]]);
    }
}
