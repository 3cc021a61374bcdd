using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Models;

/// <summary>Layouts by pattern and length, shared between layers and steps.</summary>
/// <remarks>Lengths are rounded up to whole blocks, since a layout serves every shorter sequence. Not
/// thread-safe.</remarks>
internal sealed class LayoutCache
{
    private const int Capacity = 32;

    private readonly Dictionary<(AttentionPattern Pattern, int Blocks), BlockLayout> _layouts = [];

    public BlockLayout Get(AttentionPattern pattern, int tokens)
    {
        int blocks = BlockLayout.BlocksOf(tokens, pattern.BlockTokens);
        if (_layouts.TryGetValue((pattern, blocks), out var layout))
            return layout;
        // Rounded up to blocks, but not beyond what a number of tokens can be.
        int tokensOfBlocks = (int)Math.Min(int.MaxValue, (long)blocks * pattern.BlockTokens);
        if (_layouts.Count >= Capacity) // many lengths in turn: start over rather than keep them all
            _layouts.Clear();
        return _layouts[(pattern, blocks)] = BlockLayout.Create(pattern, tokensOfBlocks);
    }
}
