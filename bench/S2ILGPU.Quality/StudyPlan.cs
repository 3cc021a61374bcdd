using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Quality;

/// <summary>Attention that the study compares.</summary>
/// <param name="Name">Short name, also of its files.</param>
/// <param name="Title">What reads what.</param>
/// <param name="Attention">The attention of every layer.</param>
internal sealed record StudyPlan(string Name, string Title, AttentionPlan Attention)
{
    /// <summary>The plan that the others are compared with.</summary>
    public const string Dense = "dense";

    /// <summary>The plan that a dense model is tuned to.</summary>
    public const string Sparse = "s2";

    /// <summary>The plans, the dense one first.</summary>
    /// <param name="settings">Sizes.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="tokens">N, at which the sliding window reads as many blocks as S2.</param>
    public static StudyPlan[] All(StudySettings settings, int layers, int tokens)
    {
        var s2 = S2(settings);
        var window = new SlidingWindowAttention
        {
            BlockTokens = s2.BlockTokens,
            WindowBlocks = EqualWindow(settings, tokens),
        };
        var alike = s2 with { Stripes = StripeOptions.Default with { HomogeneousHeads = true } };
        return
        [
            new(Dense, "dense", new AttentionPlan(new DenseAttention { BlockTokens = s2.BlockTokens })),
            new(Sparse, "S2 in all layers", new AttentionPlan(s2)),
            new("first-dense", "hybrid, first layer dense", AttentionPlan.FirstDense(layers, 1, s2)),
            new("second-dense", "hybrid, every second dense", AttentionPlan.EveryDense(layers, 2, s2)),
            new("window", "sliding window, as many blocks", new AttentionPlan(window)),
            new("homogeneous", "same stripes in all heads", new AttentionPlan(alike)),
        ];
    }

    /// <summary>The S2 attention of the study.</summary>
    public static LocalStrideAttention S2(StudySettings settings) => new()
    {
        BlockTokens = settings.BlockTokens,
        LocalBlocks = settings.LocalBlocks,
        VerticalStride = settings.Heads,
    };

    /// <summary>Blocks of the smallest window that reads at least as many blocks of a context as S2 does: where they
    /// differ, the window has more.</summary>
    public static int EqualWindow(StudySettings settings, int tokens)
    {
        long wanted = Kept(S2(settings));
        int window = settings.LocalBlocks;
        while (Kept(new SlidingWindowAttention { BlockTokens = settings.BlockTokens, WindowBlocks = window }) < wanted)
            window++;
        return window;

        long Kept(AttentionConfig attention) => BlockLayout.Create(
            attention.CreatePattern(settings.Heads, settings.Heads), tokens).KeptBlocks;
    }
}
