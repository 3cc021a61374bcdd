using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>What a parameter is before training.</summary>
internal enum InitialValues
{
    /// <summary>N(0, deviation^2).</summary>
    Normal,

    /// <summary>Ones: the weight of a norm.</summary>
    Ones,

    /// <summary>Zeros: a bias.</summary>
    Zeros,
}

/// <summary>A parameter of a model.</summary>
/// <param name="Name">Name, unique in the model.</param>
/// <param name="Shape">[out, in] or [C], of the whole.</param>
/// <param name="Initial">Its values before training.</param>
/// <param name="Deviation">Standard deviation of <see cref="InitialValues.Normal"/>.</param>
/// <param name="Parts">The tensors of a file that make it up, one below the other.</param>
internal sealed record ParameterSpec(string Name, Shape Shape, InitialValues Initial, double Deviation,
    IReadOnlyList<FilePart> Parts)
{
    /// <summary>The part of it that this rank has; null for all of it.</summary>
    public ParameterSlice? Slice { get; init; }

    /// <summary>The tensors of a file, with their shapes.</summary>
    public IEnumerable<(string Name, Shape Shape)> Stored =>
        Parts.Select(part => (part.Name, Shape.With(0, part.Rows)));
}

/// <summary>A product with an optional bias.</summary>
internal sealed record LinearSpec(ParameterSpec Weight, ParameterSpec? Bias);

/// <summary>A norm with an optional bias.</summary>
internal sealed record NormSpec(ParameterSpec Weight, ParameterSpec? Bias);

/// <summary>The parameters of a layer.</summary>
/// <param name="AttentionNorm">Norm before attention.</param>
/// <param name="QueryKeyValue">One product, or three where query and key heads have norms, which need rows of whole
/// heads.</param>
/// <param name="QueryNorm">Norm of every query head, [D]; null for none.</param>
/// <param name="KeyNorm">Norm of every key head, [D]; null for none.</param>
/// <param name="Output">The product after attention.</param>
/// <param name="FeedForwardNorm">Norm before the feed-forward block.</param>
/// <param name="FeedForwardIn">Gate and up in one product, or up alone.</param>
/// <param name="FeedForwardOut">The product at the end.</param>
internal sealed record LayerSpec(NormSpec AttentionNorm, IReadOnlyList<LinearSpec> QueryKeyValue,
    ParameterSpec? QueryNorm, ParameterSpec? KeyNorm, LinearSpec Output, NormSpec FeedForwardNorm,
    LinearSpec FeedForwardIn, LinearSpec FeedForwardOut);

/// <summary>All parameters of a configuration, known before anything is allocated: what a model creates, and what a
/// file must hold.</summary>
/// <remarks>Products that read the same input are one matrix (queries, keys and values; gate and up): one large product
/// instead of three small ones. What files keep apart are row ranges of it, so taking it apart costs nothing.</remarks>
internal sealed record ModelParameters(ParameterSpec Embedding, IReadOnlyList<LayerSpec> Layers, NormSpec Norm,
    ParameterSpec? Head)
{
    public const string EmbeddingName = "model.embed_tokens.weight", HeadName = "lm_head.weight";

    private const double Deviation = 0.02;

    /// <summary>The parameters of a configuration.</summary>
    public static ModelParameters Of(TransformerConfig config)
    {
        var architecture = ModelArchitecture.Named(config.Architecture);
        return new ModelParameters(
            Matrix(EmbeddingName, config.Dim, Deviation, [new(EmbeddingName, config.VocabularySize)]),
            [.. Enumerable.Range(0, config.Layers).Select(layer => Layer(config, architecture, layer))],
            NormOf(config, architecture.FinalNorm),
            config.TiedEmbeddings ? null
                : Matrix(HeadName, config.Dim, Deviation, [new(HeadName, config.VocabularySize)]));
    }

    /// <summary>All of them, in the order of a file.</summary>
    public IEnumerable<ParameterSpec> All =>
        new ParameterSpec?[] { Embedding }.Concat(Layers.SelectMany(Parameters)).Concat([Norm.Weight, Norm.Bias, Head])
            .OfType<ParameterSpec>();

    /// <summary>Names and shapes of all tensors of a file.</summary>
    public IEnumerable<(string Name, Shape Shape)> Stored => All.SelectMany(parameter => parameter.Stored);

    private static IEnumerable<ParameterSpec?> Parameters(LayerSpec layer) =>
    [
        layer.AttentionNorm.Weight, layer.AttentionNorm.Bias,
        .. layer.QueryKeyValue.SelectMany(product => new[] { product.Weight, product.Bias }),
        layer.QueryNorm, layer.KeyNorm, layer.Output.Weight, layer.Output.Bias,
        layer.FeedForwardNorm.Weight, layer.FeedForwardNorm.Bias,
        layer.FeedForwardIn.Weight, layer.FeedForwardIn.Bias, layer.FeedForwardOut.Weight, layer.FeedForwardOut.Bias,
    ];

    private static LayerSpec Layer(TransformerConfig config, ModelArchitecture architecture, int layer)
    {
        // GPT-2's scheme: the residual stream sums 2 products per layer, so each starts smaller by the root of their
        // number.
        double residual = Deviation / Math.Sqrt(2.0 * config.Layers);
        string name = $"model.layers.{layer}.";
        int dim = config.Dim;
        var heads = architecture.QueryKeyValue(config, name);
        return new LayerSpec(
            NormOf(config, $"{name}input_layernorm"),
            config.QueryKeyNorm
                ? [.. heads.Select(part => Linear(part.Name, dim, Deviation, [part], config.QueryKeyValueBias))]
                : [Linear($"{name}self_attn.qkv_proj", dim, Deviation, heads, config.QueryKeyValueBias)],
            config.QueryKeyNorm ? Ones($"{name}self_attn.q_norm.weight", config.HeadDim) : null,
            config.QueryKeyNorm ? Ones($"{name}self_attn.k_norm.weight", config.HeadDim) : null,
            Linear(name + architecture.AttentionOutput, config.QueryHeads * config.HeadDim, residual,
                [new(name + architecture.AttentionOutput, dim)], config.OutputBias),
            NormOf(config, $"{name}post_attention_layernorm"),
            Linear($"{name}mlp.{(config.Activation == Activation.Gelu ? "up_proj" : "gate_up_proj")}", dim, Deviation,
                architecture.FeedForwardIn(config, name), config.FeedForwardBias),
            Linear($"{name}mlp.down_proj", config.FeedForwardDim, residual, [new($"{name}mlp.down_proj", dim)],
                config.FeedForwardBias));
    }

    private static LinearSpec Linear(string name, int columns, double deviation, IReadOnlyList<FilePart> parts,
        bool hasBias) => new(
            Matrix($"{name}.weight", columns, deviation, [.. parts.Select(p => p with { Name = $"{p.Name}.weight" })]),
            hasBias ? new($"{name}.bias", new Shape(parts.Sum(p => p.Rows)), InitialValues.Zeros, 0,
                [.. parts.Select(p => p with { Name = $"{p.Name}.bias" })]) : null);

    private static ParameterSpec Matrix(string name, int columns, double deviation, IReadOnlyList<FilePart> parts) =>
        new(name, new Shape(parts.Sum(part => part.Rows), columns), InitialValues.Normal, deviation, parts);

    private static NormSpec NormOf(TransformerConfig config, string name) => new(Ones($"{name}.weight", config.Dim),
        config.Norm == NormKind.Layer
            ? new($"{name}.bias", new Shape(config.Dim), InitialValues.Zeros, 0, [new($"{name}.bias", config.Dim)])
            : null);

    private static ParameterSpec Ones(string name, int length) =>
        new(name, new Shape(length), InitialValues.Ones, 0, [new(name, length)]);
}
