using System.Text.Json;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;

namespace S2ILGPU.Models.Architectures;

/// <summary>Phi 3 small, which was trained with S2 attention: norms and products with biases, a clamped gate, factors
/// on embeddings, scores and logits, stripes that slide by query head, and dense attention in every n-th
/// layer.</summary>
/// <remarks>Its files hold queries, keys and values group by group, and the rows of gate and up in turn.</remarks>
internal sealed class Phi3Small : ModelArchitecture
{
    private const string Gegelu = "gegelu", DenseEvery = "dense_attention_every_n_layers",
        Block = "blocksparse_block_size", Local = "blocksparse_num_local_blocks", Stride = "blocksparse_vert_stride",
        Homogeneous = "blocksparse_homo_head_pattern", PositionScale = "rope_position_scale",
        ThetaKey = "rope_embedding_base", UsesScaling = "mup_use_scaling", ScoreKey = "mup_attn_multiplier",
        EmbeddingKey = "mup_embedding_multiplier", LogitKey = "mup_width_multiplier", LimitKey = "gegelu_limit",
        UnusedKey = "dummy_token_indices", Inner = "ff_intermediate_size", OtherInner = "intermediate_size",
        Epsilon = "layer_norm_epsilon", KeyHeads = "num_key_value_heads", Tied = "tie_word_embeddings";

    // What the configuration class of the authors has where a field is absent. A null in the file stays a null there,
    // which switches off what the field is for.
    private const int DefaultKeyValueHeads = 8, DefaultDenseEvery = 2, PublishedVocabulary = 100352;
    private const float DefaultLimit = 20;
    private const double DefaultEmbedding = 10, DefaultLogits = 8;

    // That class asks its tokenizer, whose vocabulary has padding, ids without a token, and tokens of the original
    // cl100k_base that the model does not use.
    private static readonly int[] s_publishedUnused =
        [100256, .. Enumerable.Range(100258, 3), 100264, 100265, .. Enumerable.Range(100267, 85)];

    public override string Name => "Phi3SmallForCausalLM";

    public override string ModelType => "phi3small";

    public override string FinalNorm => "model.final_layernorm";

    public override string AttentionOutput => "self_attn.dense";

    public override IReadOnlyList<FilePart> QueryKeyValue(TransformerConfig config, string layer)
    {
        int keys = config.KeyValueHeads, group = config.QueryHeads / keys;
        var heads = Enumerable.Range(0, keys).SelectMany(g =>
            Enumerable.Range(g * group, group).Append(config.QueryHeads + g).Append(config.QueryHeads + keys + g));
        int[] rows =
            [.. heads.SelectMany(head => Enumerable.Range(head * config.HeadDim, config.HeadDim))];
        return [new($"{layer}self_attn.query_key_value", rows.Length, new RowOrder(rows))];
    }

    public override IReadOnlyList<FilePart> FeedForwardIn(TransformerConfig config, string layer)
    {
        int inner = config.FeedForwardDim;
        int[] rows = [.. Enumerable.Range(0, 2 * inner).Select(row => row / 2 + row % 2 * inner)];
        return [new($"{layer}mlp.up_proj", rows.Length, new RowOrder(rows))];
    }

    public override TransformerConfig Read(ConfigFields fields)
    {
        int dim = fields.Integer("hidden_size"), heads = fields.Integer("num_attention_heads");
        if (heads < 1 || dim % heads != 0)
            throw fields.Member("num_attention_heads").Wrong($"a divisor of hidden_size {dim}");
        fields.Choice("hidden_act", Gegelu, Gegelu);
        double embedding = Multiplier(fields, EmbeddingKey, DefaultEmbedding),
            logits = Multiplier(fields, LogitKey, DefaultLogits), scores = fields.Number(ScoreKey, 1);
        var (scaling, context) = ReadScaling(fields);
        return new TransformerConfig
        {
            Architecture = Name,
            VocabularySize = fields.Integer("vocab_size"),
            Dim = dim,
            Layers = fields.Integer("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = fields.Integer(KeyHeads, fields.Has(KeyHeads) ? heads : DefaultKeyValueHeads),
            HeadDim = dim / heads,
            FeedForwardDim = fields.Find(OtherInner)?.Integer() is { } other && fields.Find(Inner) is null ? other
                : fields.Integer(Inner),
            ContextTokens = context,
            RopeTheta = fields.Number(ThetaKey, 1e6),
            RopeScaling = scaling,
            Norm = NormKind.Layer,
            NormEpsilon = (float)fields.Number(Epsilon, 1e-5),
            QueryKeyValueBias = true,
            OutputBias = true,
            FeedForwardBias = true,
            TiedEmbeddings = fields.Boolean(Tied, !fields.Has(Tied)),
            Activation = Activation.Gegelu,
            ActivationLimit = fields.Has(LimitKey) ? (float?)fields.Find(LimitKey)?.Number() : DefaultLimit,
            AttentionScale = fields.Boolean(UsesScaling, !fields.Has(UsesScaling)) ? scores * heads / dim : null,
            EmbeddingMultiplier = embedding > 0 ? (float)embedding : 1,
            LogitDivisor = logits != 0 ? (float)logits : 1,
            UnusedTokens = ReadUnused(fields),
        };
    }

    public override AttentionPlan ReadAttention(ConfigFields fields, TransformerConfig config) => Plan(config.Layers,
        fields.Has(DenseEvery) ? fields.Find(DenseEvery)?.Integer() : DefaultDenseEvery, new LocalStrideAttention
        {
            BlockTokens = fields.Integer(Block, 64),
            LocalBlocks = fields.Integer(Local, 16),
            VerticalStride = fields.Integer(Stride, 8),
            Stripes = StripesOf(fields.Boolean(Homogeneous, false)),
        });

    public override void Write(Utf8JsonWriter writer, TransformerConfig config)
    {
        writer.WriteNumber("vocab_size", config.VocabularySize);
        writer.WriteNumber("hidden_size", config.Dim);
        writer.WriteNumber("num_hidden_layers", config.Layers);
        writer.WriteNumber("num_attention_heads", config.QueryHeads);
        writer.WriteNumber(KeyHeads, config.KeyValueHeads);
        writer.WriteNumber(Inner, config.FeedForwardDim);
        RotaryFields.WriteContext(writer, config);
        writer.WriteNumber(ThetaKey, config.RopeTheta);
        writer.WriteNumber(PositionScale, (config.RopeScaling as LinearScaling)?.Factor ?? 1);
        if (config.RopeScaling is not (null or LinearScaling))
            RotaryFields.WriteScaling(writer, config, config.RopeScaling);
        writer.WriteNumber(Epsilon, config.NormEpsilon);
        writer.WriteString("hidden_act", Gegelu);
        if (config.ActivationLimit is { } limit)
            writer.WriteNumber(LimitKey, limit);
        else
            writer.WriteNull(LimitKey);
        writer.WriteBoolean(UsesScaling, config.AttentionScale is not null);
        if (config.AttentionScale is { } scale)
            writer.WriteNumber(ScoreKey, scale * config.Dim / config.QueryHeads);
        writer.WriteNumber(EmbeddingKey, config.EmbeddingMultiplier);
        writer.WriteNumber(LogitKey, config.LogitDivisor);
        writer.WriteBoolean(Tied, config.TiedEmbeddings);
        // Empty for none: an absent field is the tokenizer's list, and other tools take null for all tokens.
        writer.WriteStartArray(UnusedKey);
        foreach (int id in config.UnusedTokens ?? new ValueList<int>())
            writer.WriteNumberValue(id);
        writer.WriteEndArray();
    }

    public override bool Expresses(TransformerConfig config) => SparseOf(config) is { } sparse
        && sparse == sparse with { Stripes = StripesOf(sparse.Stripes.HomogeneousHeads) }
        && (Plan(config.Layers, null, sparse).Equals(config.Attention)
            || Plan(config.Layers, DistanceOf(config), sparse).Equals(config.Attention));

    public override void WriteAttention(Utf8JsonWriter writer, TransformerConfig config)
    {
        var sparse = SparseOf(config)!;
        writer.WriteNumber(Block, sparse.BlockTokens);
        writer.WriteNumber(Local, sparse.LocalBlocks);
        writer.WriteNumber(Stride, sparse.VerticalStride);
        writer.WriteBoolean(Homogeneous, sparse.Stripes.HomogeneousHeads);
        if (config.Attention.Count > 1)
            writer.WriteNumber(DenseEvery, DistanceOf(config));
        else
            writer.WriteNull(DenseEvery);
    }

    public override void Check(TransformerConfig config)
    {
        Check(config, config with
        {
            RotaryFraction = 1,
            Norm = NormKind.Layer,
            QueryKeyNorm = false,
            QueryKeyValueBias = true,
            OutputBias = true,
            FeedForwardBias = true,
            Activation = Activation.Gegelu,
        });
        if (config.HeadDim * config.QueryHeads != config.Dim)
            throw new ArgumentException($"{nameof(config.HeadDim)} must be {nameof(config.Dim)} over "
                + $"{nameof(config.QueryHeads)} in {Name}, got {config.HeadDim}");
    }

    private static double Multiplier(ConfigFields fields, string name, double absent) =>
        fields.Number(name, fields.Has(name) ? 0 : absent);

    private static ValueList<int>? ReadUnused(ConfigFields fields)
    {
        bool isPublished = !fields.Has(UnusedKey) && fields.Integer("vocab_size") == PublishedVocabulary;
        int[] ids = fields.Find(UnusedKey) is { } unused ? [.. unused.Items().Select(id => id.Integer())]
            : isPublished ? s_publishedUnused : [];
        return ids.Length > 0 ? new(ids) : null;
    }

    private static (RotaryScaling? Scaling, int ContextTokens) ReadScaling(ConfigFields fields)
    {
        double scale = fields.Number(PositionScale, 1);
        var (_, scaling, _, context) = RotaryFields.Read(fields, isPartial: false);
        if (scale == 1)
            return (scaling, context);
        return scaling is null ? (new LinearScaling(scale), context)
            : throw fields.Member(PositionScale).Wrong("1 beside rope_scaling");
    }

    // Trained with an offset of 1, so that block 0 belongs to the last head of a period.
    private static StripeOptions StripesOf(bool isHomogeneous) =>
        new() { SlideByQueryHead = true, HeadOffset = 1, HomogeneousHeads = isHomogeneous };

    private static AttentionPlan Plan(int layers, int? denseEvery, LocalStrideAttention sparse) =>
        denseEvery is { } n and not 0 ? AttentionPlan.EveryDense(layers, n, sparse) : new(sparse);

    private static LocalStrideAttention? SparseOf(TransformerConfig config) =>
        config.Attention.OfType<LocalStrideAttention>().FirstOrDefault();

    // The distance of dense layers, from the first of them.
    private static int DistanceOf(TransformerConfig config) =>
        Enumerable.Range(0, config.Layers).FirstOrDefault(layer => config.Attention[layer] is DenseAttention, 0) + 1;
}
