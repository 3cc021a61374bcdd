using S2ILGPU.Ops;

namespace S2ILGPU.Models;

/// <summary>The function between the two products of a feed-forward block.</summary>
public enum Activation
{
    /// <summary><c>silu(gate) up</c>, with two products in.</summary>
    SwiGlu,

    /// <summary>The tanh form of GELU, with one product in.</summary>
    Gelu,
}

/// <summary>The shape of a decoder-only transformer. An immutable value; defaults here and nowhere else.</summary>
public sealed record TransformerConfig
{
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

    /// <summary>Positions that the model knows.</summary>
    public int ContextTokens { get; init; } = 2048;

    /// <summary>Base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Positions are divided by this before they become angles (linear scaling, which stretches a context);
    /// 1 for none.</summary>
    public double RopeFactor { get; init; } = 1;

    /// <summary>Added to the mean square in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Whether the output product uses the embedding matrix.</summary>
    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>The function of the feed-forward block.</summary>
    public Activation Activation { get; init; } = Activation.SwiGlu;

    /// <summary>The attention of each layer.</summary>
    public AttentionPlan Attention { get; init; } = AttentionPlan.Sparse;

    /// <summary>Number of trainable numbers.</summary>
    public long ParameterCount
    {
        get
        {
            long attention = (long)Dim * HeadDim * (2 * QueryHeads + 2 * KeyValueHeads);
            long feedForward = (long)Dim * FeedForwardDim * (Activation == Activation.SwiGlu ? 3 : 2);
            return Layers * (attention + feedForward + 2 * Dim) + (long)VocabularySize * Dim
                * (TiedEmbeddings ? 1 : 2) + Dim;
        }
    }

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
        if (!(RopeFactor > 0 && RopeFactor <= 1e6))
            throw new ArgumentException($"{nameof(RopeFactor)} must be above 0 and at most 1e6, got {RopeFactor}");
        if (!(NormEpsilon > 0 && NormEpsilon <= 1))
            throw new ArgumentException($"{nameof(NormEpsilon)} must be above 0 and at most 1, got {NormEpsilon}");
        if (!Enum.IsDefined(Activation))
            throw new ArgumentException($"{nameof(Activation)} {Activation} is unknown");
        if (ContextTokens * (HeadDim / 2L) > Array.MaxLength)
            throw new ArgumentException(
                $"{nameof(ContextTokens)} {ContextTokens} with {nameof(HeadDim)} {HeadDim} needs "
                + $"{ContextTokens * (HeadDim / 2L)} rotary angles, more than the {Array.MaxLength} of an array");
        if (Attention is null)
            throw new ArgumentException($"{nameof(Attention)} is missing");
        if (Attention.Count != 1 && Attention.Count != Layers)
            throw new ArgumentException($"the attention plan has {Attention.Count} entries for {Layers} layers");
        foreach (var attention in Attention)
            attention.CreatePattern(QueryHeads, KeyValueHeads);
        return this;
    }

    private static void Within(string name, int value, int most)
    {
        if (value < 1 || value > most)
            throw new ArgumentException($"{name} must be 1 to {most}, got {value}");
    }
}
