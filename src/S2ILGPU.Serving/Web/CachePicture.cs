using S2ILGPU.Inference;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Web;

/// <summary>What sequences keep, as a picture that is bounded in size: layers x KV heads x cells, where a cell is one
/// block, or several neighbouring ones of a long context.</summary>
internal sealed class CachePicture
{
    /// <summary>The most cells of a row; a power of 2 divides the stripes of most patterns.</summary>
    public const int MaxCells = 512;

    private CachePicture(IReadOnlyList<LayerPicture> layers) => Layers = layers;

    public IReadOnlyList<LayerPicture> Layers { get; }

    /// <summary>The picture of one sequence, or of several laid on each other.</summary>
    /// <param name="sequences">At least one sequence.</param>
    /// <param name="blockTokens">Tokens of a block of each layer.</param>
    public static CachePicture Of(IReadOnlyList<RunningSequence> sequences, IReadOnlyList<int> blockTokens) =>
        new([.. blockTokens.Select((tokens, layer) => LayerPicture.Of(sequences, layer, tokens))]);
}

/// <summary>A layer of the picture.</summary>
/// <param name="Blocks">Blocks of the longest sequence.</param>
/// <param name="BlocksPerCell">Blocks of a cell.</param>
/// <param name="Heads">The cells of each KV head.</param>
/// <param name="Together">The cells of all heads together: a block is kept when any head keeps it.</param>
internal sealed record LayerPicture(int Blocks, int BlocksPerCell, IReadOnlyList<Cell[]> Heads, Cell[] Together)
{
    public static LayerPicture Of(IReadOnlyList<RunningSequence> sequences, int layer, int blockTokens)
    {
        int blocks = sequences.Max(sequence => BlocksOf(sequence, blockTokens));
        int blocksPerCell = 1;
        while (blocks > blocksPerCell * CachePicture.MaxCells)
            blocksPerCell *= 2;
        int cells = (blocks + blocksPerCell - 1) / blocksPerCell;
        var heads = new Cell[sequences[0].Pages.KeyValueHeads][];
        for (int head = 0; head < heads.Length; head++)
            heads[head] = new Cell[cells];
        var together = new Cell[cells];
        foreach (var sequence in sequences)
            for (int block = BlocksOf(sequence, blockTokens) - 1; block >= 0; block--)
            {
                var best = PageState.Freed;
                for (int head = 0; head < heads.Length; head++)
                {
                    var state = sequence.Pages[layer, head, block];
                    heads[head][block / blocksPerCell].Add(state);
                    best = state == PageState.Kept || best == PageState.Freed ? state : best;
                }
                together[block / blocksPerCell].Add(best);
            }
        return new LayerPicture(blocks, blocksPerCell, heads, together);
    }

    private static int BlocksOf(RunningSequence sequence, int blockTokens) =>
        (sequence.Tokens + blockTokens - 1) / blockTokens;
}

/// <summary>What became of the blocks of a cell; the others were freed.</summary>
/// <param name="Written">Blocks that were written.</param>
/// <param name="Kept">Those of them in pages of their own.</param>
/// <param name="Shared">Those of them in pages with several owners.</param>
internal record struct Cell(int Written, int Kept, int Shared)
{
    public void Add(PageState state)
    {
        Written++;
        if (state == PageState.Kept)
            Kept++;
        else if (state == PageState.Shared)
            Shared++;
    }
}
