using S2ILGPU.Patterns;

namespace S2ILGPU.Models;

/// <summary>Which keys the attention of a layer reads: a pattern without its heads, as configurations name it. An
/// immutable value.</summary>
public abstract record AttentionConfig
{
    /// <summary>B, tokens per block: 16, 32, 64 or 128.</summary>
    public int BlockTokens { get; init; } = 64;

    /// <summary>The name in <c>config.json</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>The causal pattern for the heads of a model.</summary>
    /// <param name="queryHeads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <exception cref="ArgumentException">A parameter breaks the pattern's rules.</exception>
    public abstract AttentionPattern CreatePattern(int queryHeads, int keyValueHeads);
}

/// <summary>Every token reads all tokens up to itself.</summary>
public sealed record DenseAttention : AttentionConfig
{
    /// <inheritdoc/>
    public override string Kind => "dense";

    /// <inheritdoc/>
    public override AttentionPattern CreatePattern(int queryHeads, int keyValueHeads) =>
        new DensePattern(queryHeads, keyValueHeads, BlockTokens);
}

/// <summary>S2: a local window, and one remote block of every stride, other ones in every head.</summary>
public sealed record LocalStrideAttention : AttentionConfig
{
    /// <summary>L, blocks in the window, the diagonal block included.</summary>
    public int LocalBlocks { get; init; } = 16;

    /// <summary>s, one remote block is kept of every s.</summary>
    public int VerticalStride { get; init; } = 8;

    /// <summary>How the stripes differ from head to head.</summary>
    public StripeOptions Stripes { get; init; } = StripeOptions.Default;

    /// <inheritdoc/>
    public override string Kind => "local_stride";

    /// <inheritdoc/>
    public override AttentionPattern CreatePattern(int queryHeads, int keyValueHeads) =>
        new LocalStridePattern(queryHeads, keyValueHeads, BlockTokens, LocalBlocks, VerticalStride, Stripes);
}

/// <summary>A local window, and the first blocks of the context.</summary>
public sealed record SlidingWindowAttention : AttentionConfig
{
    /// <summary>Blocks in the window, the diagonal block included.</summary>
    public int WindowBlocks { get; init; } = 16;

    /// <summary>Blocks at the start of the context that every token reads.</summary>
    public int SinkBlocks { get; init; }

    /// <inheritdoc/>
    public override string Kind => "sliding_window";

    /// <inheritdoc/>
    public override AttentionPattern CreatePattern(int queryHeads, int keyValueHeads) =>
        new SlidingWindowPattern(queryHeads, keyValueHeads, WindowBlocks, SinkBlocks, BlockTokens);
}

/// <summary>A local window that is counted in tokens, as checkpoints of other tools have it.</summary>
public sealed record TokenWindowAttention : AttentionConfig
{
    /// <summary>W, tokens that a query reads, itself included.</summary>
    public int WindowTokens { get; init; } = 4096;

    /// <inheritdoc/>
    public override string Kind => "token_window";

    /// <inheritdoc/>
    public override AttentionPattern CreatePattern(int queryHeads, int keyValueHeads) =>
        new TokenWindowPattern(queryHeads, keyValueHeads, WindowTokens, BlockTokens);
}

/// <summary>A local window, then stripes of one stride nearby and of another one far away.</summary>
public sealed record TwoRangeAttention : AttentionConfig
{
    /// <summary>Blocks in the window, the diagonal block included.</summary>
    public int LocalBlocks { get; init; } = 8;

    /// <summary>Blocks from the diagonal that have the near stride.</summary>
    public int NearBlocks { get; init; } = 64;

    /// <summary>Stride nearby.</summary>
    public int NearStride { get; init; } = 8;

    /// <summary>Stride far away.</summary>
    public int FarStride { get; init; } = 16;

    /// <summary>How the stripes differ from head to head.</summary>
    public StripeOptions Stripes { get; init; } = StripeOptions.Default;

    /// <inheritdoc/>
    public override string Kind => "two_range";

    /// <inheritdoc/>
    public override AttentionPattern CreatePattern(int queryHeads, int keyValueHeads) =>
        new TwoRangePattern(queryHeads, keyValueHeads, LocalBlocks, NearBlocks, NearStride, FarStride,
        BlockTokens, Stripes);
}
