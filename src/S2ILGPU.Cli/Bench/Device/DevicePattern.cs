using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A pattern of the device figures. Its name says all that other implementations need to build the same
/// mask.</summary>
/// <param name="LocalBlocks">L, blocks in the local window.</param>
/// <param name="VerticalStride">s, one remote block of so many; 1 is dense.</param>
internal readonly record struct DevicePattern(int LocalBlocks, int VerticalStride)
{
    /// <summary>Tokens per block.</summary>
    public const int BlockTokens = 64;

    /// <summary>Every block, causal.</summary>
    public static DevicePattern Dense { get; } = new(0, 1);

    /// <summary>dense, or as in <c>B64 L16 s8</c>.</summary>
    public string Name => VerticalStride == 1 ? "dense" : $"B{BlockTokens} L{LocalBlocks} s{VerticalStride}";

    /// <summary>The pattern over some heads.</summary>
    public AttentionPattern Create(int heads, int keyValueHeads) => VerticalStride == 1
        ? new DensePattern(heads, keyValueHeads, BlockTokens)
        : new LocalStridePattern(heads, keyValueHeads, BlockTokens, LocalBlocks, VerticalStride);
}
