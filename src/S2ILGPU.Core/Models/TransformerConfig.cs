using S2ILGPU.Ops;

namespace S2ILGPU.Models;

/// <summary>The function between the two products of a feed-forward block.</summary>
public enum Activation
{
    /// <summary><c>silu(gate) up</c>, with two products in.</summary>
    SwiGlu,

    /// <summary>The tanh form of GELU, with one product in.</summary>
    Gelu,

    /// <summary><c>g sigmoid(1.702 g) (u + 1)</c> with a limited gate and up, with two products in.</summary>
    Gegelu,
}

/// <summary>How a norm treats the numbers of a token.</summary>
public enum NormKind
{
    /// <summary>Divides by the root mean square, times a weight.</summary>
    Rms,

    /// <summary>Subtracts the mean, divides by the standard deviation, times a weight, plus a bias.</summary>
    Layer,
}

/// <summary>The shape of a decoder-only transformer. An immutable value; defaults here and nowhere else.</summary>
/// <remarks>The properties without a default of "none" are those of Llama; the others are what further architectures
/// add to it, in any combination.</remarks>
public sealed record TransformerConfig
{
    /// <summary>The architecture whose fields and tensor names files have, as Hugging Face names it:
    /// <c>LlamaForCausalLM</c> and the others of <see cref="Architectures"/>.</summary>
    public string Architecture { get; init; } = ModelArchitecture.Default;

    /// <summary>V, number of tokens of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 8192;

    /// <summary>C, width of the residual stream.</summary>
    public int Dim { get; init; } = 512;

    /// <summary>Number of layers.</summary>
    public int Layers { get; init; } = 8;

    /// <summary>H, query heads.</summary>
    public int QueryHeads { get; init; } = 8;

    /// <summary>Hkv, key/value heads; divides <see cref="QueryHeads"/>.</summary>
    public int KeyValueHeads { get; init; } = 4;

    /// <summary>D, width of a head; a multiple of 8 from 8 to 256. H D need not be C.</summary>
    public int HeadDim { get; init; } = 64;

    /// <summary>F, width of the feed-forward block.</summary>
    public int FeedForwardDim { get; init; } = 1408;

    /// <summary>Positions that the model knows; with <see cref="DynamicScaling"/> also those beyond the original one.
    /// </summary>
    public int ContextTokens { get; init; } = 2048;

    /// <summary>Base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>How the rotary angles are scaled; null for not at all.</summary>
    public RotaryScaling? RopeScaling { get; init; }

    /// <summary>The fraction of each head, from its first number, that turns with its position; the rest has no
    /// position.</summary>
    public double RotaryFraction { get; init; } = 1;

    /// <summary>Whether queries, keys and values have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the output of attention has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the products of the feed-forward block have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether every query head and key head has an RMS norm before it turns.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>The norms before attention, before the feed-forward block and at the end.</summary>
    public NormKind Norm { get; init; } = NormKind.Rms;

    /// <summary>Added to the mean square, or to the variance, in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Whether the output product uses the embedding matrix.</summary>
    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>The function of the feed-forward block.</summary>
    public Activation Activation { get; init; } = Activation.SwiGlu;

    /// <summary>The limit of gate and up in <see cref="Activation.Gegelu"/>; null for none.</summary>
    public float? ActivationLimit { get; init; }

    /// <summary>The attention of each layer.</summary>
    public AttentionPlan Attention { get; init; } = AttentionPlan.Sparse;

    /// <summary>Factor of the scores; null for <c>1 / sqrt(D)</c>.</summary>
    public double? AttentionScale { get; init; }

    /// <summary>Factor on embeddings.</summary>
    public float EmbeddingMultiplier { get; init; } = 1;

    /// <summary>Logits are divided by this.</summary>
    public float LogitDivisor { get; init; } = 1;

    /// <summary>Tokens of the vocabulary that no text has: their logits are -inf. Null for none.</summary>
    public ValueList<int>? UnusedTokens { get; init; }

    /// <summary>Names of all architectures that can be read and written.</summary>
    public static IReadOnlyList<string> Architectures { get; } =
        [.. ModelArchitecture.All.Select(architecture => architecture.Name)];

    /// <summary>Number of trainable numbers.</summary>
    public long ParameterCount => ModelParameters.Of(this).All.Sum(parameter => parameter.Shape.Count);

    /// <summary>The numbers of a head that turn, <c>HeadDim RotaryFraction</c> rounded down.</summary>
    internal int RotaryDim => (int)(HeadDim * RotaryFraction);

    /// <summary>Factor of the scores.</summary>
    internal float ScoreScale => (float?)AttentionScale ?? SparseAttention.DefaultScale(HeadDim);

    /// <summary>Checks every value.</summary>
    /// <returns>The configuration itself.</returns>
    /// <exception cref="ArgumentException">A value is out of its range, or two do not fit each other; the message names
    /// them.</exception>
    public TransformerConfig Validate()
    {
        Within(nameof(VocabularySize), VocabularySize, 1 << 24);
        Within(nameof(Dim), Dim, 1 << 16);
        Within(nameof(Layers), Layers, 1024);
        Within(nameof(QueryHeads), QueryHeads, 1024);
        Within(nameof(KeyValueHeads), KeyValueHeads, 1024);
        Within(nameof(FeedForwardDim), FeedForwardDim, 1 << 18);
        Within(nameof(ContextTokens), ContextTokens, 1 << 24);
        if (QueryHeads % KeyValueHeads != 0)
            throw new ArgumentException(
                $"{nameof(KeyValueHeads)} must divide {nameof(QueryHeads)}, got {KeyValueHeads} and {QueryHeads}");
        if (HeadDim is < AttentionRules.MinHeadDim or > AttentionRules.MaxHeadDim
            || HeadDim % AttentionRules.HeadDimMultiple != 0)
            throw new ArgumentException($"{nameof(HeadDim)} must be {AttentionRules.HeadDimRule}, got {HeadDim}");
        if (!(RopeTheta >= 1 && RopeTheta <= 1e12))
            throw new ArgumentException($"{nameof(RopeTheta)} must be 1 to 1e12, got {RopeTheta}");
        if (!(RotaryFraction > 0 && RotaryFraction <= 1) || RotaryDim < 2 || RotaryDim % 2 != 0)
            throw new ArgumentException($"{nameof(RotaryFraction)} must be above 0 and at most 1, with an even number "
                + $"of the {HeadDim} numbers of a head turning, got {RotaryFraction}");
        RopeScaling?.Validate(RotaryDim);
        if (!(NormEpsilon > 0 && NormEpsilon <= 1))
            throw new ArgumentException($"{nameof(NormEpsilon)} must be above 0 and at most 1, got {NormEpsilon}");
        if (!Enum.IsDefined(Activation))
            throw new ArgumentException($"{nameof(Activation)} {Activation} is unknown");
        if (!Enum.IsDefined(Norm))
            throw new ArgumentException($"{nameof(Norm)} {Norm} is unknown");
        Multiplier(nameof(AttentionScale), AttentionScale ?? 1);
        Multiplier(nameof(EmbeddingMultiplier), EmbeddingMultiplier);
        Multiplier(nameof(LogitDivisor), LogitDivisor);
        Multiplier(nameof(ActivationLimit), ActivationLimit ?? 1);
        foreach (int id in UnusedTokens ?? new ValueList<int>())
            if (id < 0 || id >= VocabularySize)
                throw new ArgumentException(
                    $"{nameof(UnusedTokens)} must be 0 to {VocabularySize - 1}, got {id}");
        long rows = RopeScaling?.ShortTokens is { } few && few < ContextTokens ? (long)ContextTokens + few
            : ContextTokens;
        if (rows * (RotaryDim / 2) > Array.MaxLength)
            throw new ArgumentException(
                $"{nameof(ContextTokens)} {ContextTokens} with {nameof(HeadDim)} {HeadDim} needs "
                + $"{rows * (RotaryDim / 2)} rotary angles, more than the {Array.MaxLength} of an array");
        ModelArchitecture.Named(Architecture).Check(this);
        if (Attention is null)
            throw new ArgumentException($"{nameof(Attention)} is missing");
        if (Attention.Count != 1 && Attention.Count != Layers)
            throw new ArgumentException($"the attention plan has {Attention.Count} entries for {Layers} layers");
        foreach (var attention in Attention)
            attention.CreatePattern(QueryHeads, KeyValueHeads);
        return this;
    }

    private static void Multiplier(string name, double value)
    {
        if (!(value > 0 && value <= 1e6f))
            throw new ArgumentException($"{name} must be above 0 and at most 1e6, got {value}");
    }

    private static void Within(string name, int value, int most)
    {
        if (value < 1 || value > most)
            throw new ArgumentException($"{name} must be 1 to {most}, got {value}");
    }
}
