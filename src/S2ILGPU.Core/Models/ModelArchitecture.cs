using System.Text.Json;
using S2ILGPU.Models.Architectures;

namespace S2ILGPU.Models;

/// <summary>A family of checkpoints: the fields of its <c>config.json</c> and the names of its tensors. What is here is
/// Llama's; an architecture overrides what differs.</summary>
/// <remarks>Every field that changes the arithmetic is read by <see cref="Read"/>, or refused by <see
/// cref="TransformerConfigRules"/>.</remarks>
internal abstract class ModelArchitecture
{
    /// <summary>The architecture of models that are trained here.</summary>
    public const string Default = "LlamaForCausalLM";

    /// <summary>All architectures. A new one is a file in the folder Architectures and a line here.</summary>
    public static IReadOnlyList<ModelArchitecture> All { get; } =
    [
        new Llama(),
        new Mistral(),
        new Qwen2(),
        new Qwen3(),
        new Phi3(),
        new Phi3Small(),
    ];

    /// <summary>Its name, as in <c>"architectures": ["LlamaForCausalLM"]</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Its <c>model_type</c>.</summary>
    public abstract string ModelType { get; }

    // ---- names of tensors, without .weight and .bias ----

    /// <summary>The norm at the end.</summary>
    public virtual string FinalNorm => "model.norm";

    /// <summary>The product after attention, behind the name of its layer.</summary>
    public virtual string AttentionOutput => "self_attn.o_proj";

    /// <summary>Queries, keys and values, in this order.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="layer">What the names of the layer begin with.</param>
    public virtual IReadOnlyList<FilePart> QueryKeyValue(TransformerConfig config, string layer) =>
    [
        new($"{layer}self_attn.q_proj", config.QueryHeads * config.HeadDim),
        new($"{layer}self_attn.k_proj", config.KeyValueHeads * config.HeadDim),
        new($"{layer}self_attn.v_proj", config.KeyValueHeads * config.HeadDim),
    ];

    /// <summary>Gate and up, in this order, or up alone.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="layer">What the names of the layer begin with.</param>
    public virtual IReadOnlyList<FilePart> FeedForwardIn(TransformerConfig config, string layer) =>
        config.Activation == Activation.Gelu
            ? [new($"{layer}mlp.up_proj", config.FeedForwardDim)]
            : [new($"{layer}mlp.gate_proj", config.FeedForwardDim), new($"{layer}mlp.up_proj", config.FeedForwardDim)];

    /// <summary>The architecture of a name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those that there are.</exception>
    public static ModelArchitecture Named(string name) => All.FirstOrDefault(a => a.Name == name)
        ?? throw new ArgumentException(
            $"the architecture must be {string.Join(" or ", All.Select(a => a.Name))}, got {name}");

    /// <summary>Reads the configuration, its attention apart.</summary>
    public virtual TransformerConfig Read(ConfigFields fields)
    {
        int dim = fields.Integer("hidden_size"), heads = fields.Integer("num_attention_heads");
        var (theta, scaling, fraction, context) = RotaryFields.Read(fields, HasPartialRotary);
        return new TransformerConfig
        {
            Architecture = Name,
            VocabularySize = fields.Integer("vocab_size"),
            Dim = dim,
            Layers = fields.Integer("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = fields.Integer("num_key_value_heads", heads),
            HeadDim = ReadHeadDim(fields, dim, heads),
            FeedForwardDim = fields.Integer("intermediate_size"),
            ContextTokens = context,
            RopeTheta = theta,
            RopeScaling = scaling,
            RotaryFraction = fraction,
            NormEpsilon = (float)fields.Number("rms_norm_eps", DefaultNormEpsilon),
            TiedEmbeddings = fields.Boolean("tie_word_embeddings", false),
            Activation = ReadActivation(fields),
        };
    }

    /// <summary>Reads the attention of every layer of a checkpoint without <c>s2_attention</c>.</summary>
    public virtual AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) => AttentionPlan.Dense;

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public virtual void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        writer.WriteNumber("vocab_size", config.VocabularySize);
        writer.WriteNumber("hidden_size", config.Dim);
        writer.WriteNumber("num_hidden_layers", config.Layers);
        writer.WriteNumber("num_attention_heads", config.QueryHeads);
        writer.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        writer.WriteNumber("head_dim", config.HeadDim);
        writer.WriteNumber("intermediate_size", config.FeedForwardDim);
        RotaryFields.WriteContext(writer, config);
        RotaryFields.Write(writer, config);
        writer.WriteNumber("rms_norm_eps", config.NormEpsilon);
        writer.WriteString("hidden_act", config.Activation == Activation.Gelu ? GeluTanh : Silu);
        writer.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
    }

    /// <summary>Whether the fields of this architecture can say the attention and the activation of a
    /// configuration.</summary>
    public virtual bool Expresses(TransformerConfig config) =>
        config.Attention.Equals(AttentionPlan.Dense) && config.Activation == Activation.SwiGlu;

    /// <summary>Writes the attention of every layer, which the fields can say.</summary>
    public virtual void WriteAttention(Utf8JsonWriter writer, TransformerConfig config)
    {
    }

    /// <summary>Refuses what this architecture's fields cannot say.</summary>
    /// <exception cref="ArgumentException">The configuration has a part that this architecture does not
    /// have.</exception>
    public virtual void Check(TransformerConfig config) => Check(config, new TransformerConfig());

    /// <summary>Refuses parts that are not those of an example.</summary>
    protected void Check(TransformerConfig config, TransformerConfig like)
    {
        Require(config.RotaryFraction == like.RotaryFraction, nameof(config.RotaryFraction), like.RotaryFraction,
            config.RotaryFraction);
        Require(config.Activation == like.Activation
            || (config.Activation == Activation.Gelu && like.Activation == Activation.SwiGlu),
            nameof(config.Activation), like.Activation, config.Activation);
        Require(config.Norm == like.Norm, nameof(config.Norm), like.Norm, config.Norm);
        Require(config.QueryKeyNorm == like.QueryKeyNorm, nameof(config.QueryKeyNorm), like.QueryKeyNorm,
            config.QueryKeyNorm);
        Require(config.QueryKeyValueBias == like.QueryKeyValueBias, nameof(config.QueryKeyValueBias),
            like.QueryKeyValueBias, config.QueryKeyValueBias);
        Require(config.OutputBias == like.OutputBias, nameof(config.OutputBias), like.OutputBias, config.OutputBias);
        Require(config.FeedForwardBias == like.FeedForwardBias, nameof(config.FeedForwardBias), like.FeedForwardBias,
            config.FeedForwardBias);
        Require(config.AttentionScale == like.AttentionScale, nameof(config.AttentionScale), like.AttentionScale,
            config.AttentionScale);
        Require(config.EmbeddingMultiplier == like.EmbeddingMultiplier, nameof(config.EmbeddingMultiplier),
            like.EmbeddingMultiplier, config.EmbeddingMultiplier);
        Require(config.LogitDivisor == like.LogitDivisor, nameof(config.LogitDivisor), like.LogitDivisor,
            config.LogitDivisor);
        Require(config.ActivationLimit == like.ActivationLimit, nameof(config.ActivationLimit), like.ActivationLimit,
            config.ActivationLimit);
        Require(Equals(config.UnusedTokens, like.UnusedTokens), nameof(config.UnusedTokens), "none", "some");
    }

    /// <summary>The width of a head where the field is absent; null for the dim over the query heads.</summary>
    protected virtual int? DefaultHeadDim => null;

    /// <summary>The epsilon of norms where the field is absent.</summary>
    protected virtual double DefaultNormEpsilon => 1e-6;

    /// <summary>Whether a part of a head may stay without a position.</summary>
    protected virtual bool HasPartialRotary => false;

    private const string Silu = "silu", Swish = "swish", GeluTanh = "gelu_pytorch_tanh";

    private int ReadHeadDim(ConfigFields fields, int dim, int heads)
    {
        if (fields.Find("head_dim") is { } given)
            return given.Integer();
        if (DefaultHeadDim is { } absent && !fields.Has("head_dim"))
            return absent;
        return heads >= 1 && dim % heads == 0 ? dim / heads : throw fields.Member("num_attention_heads")
            .Wrong($"a divisor of hidden_size {dim} where head_dim is absent");
    }

    // The feed-forward block of these checkpoints has a gate whatever its activation; a gate with GELU is not computed
    // here, and GELU without a gate is a model that was trained here.
    private static Activation ReadActivation(ConfigFields fields)
    {
        bool isOurs = fields.Find(TransformerConfigFile.ModelTypeKey)?.Text() == TransformerConfigFile.SparseModelType;
        string name = isOurs ? fields.Choice("hidden_act", Silu, Silu, Swish, GeluTanh)
            : fields.Choice("hidden_act", Silu, Silu, Swish);
        return name == GeluTanh ? Activation.Gelu : Activation.SwiGlu;
    }

    private void Require(bool holds, string part, object? expected, object? got)
    {
        if (!holds)
            throw new ArgumentException(FormattableString.Invariant(
                $"{part} must be {expected ?? "absent"} in {Name}, got {got ?? "none"}"));
    }
}
