using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>What an engine can do beside <see cref="IEngine"/> to choose the blocks of a dense model at run time. All
/// of it is queued like other operations: sums, choices and log-sum-exps stay on the device, in the engine's float
/// type.</summary>
/// <seealso href="https://arxiv.org/abs/2406.15486">SampleAttention</seealso>
public interface IAttentionSampler
{
    /// <summary>Whether operations return before they are done.</summary>
    bool IsQueued { get; }

    /// <summary><c>p_ij = exp(scale q_i k_j - LSE_i)</c> of chosen rows i against all keys <c>j &lt;= i</c>, summed
    /// over rows and keys by key block and by distance of blocks.</summary>
    /// <remarks>Deterministic. Where the log-sum-exp of a row is not finite, it is NaN, and so is a sum of its
    /// head.</remarks>
    void SampleRows(in AttentionSampleArguments arguments);

    /// <summary>Marks the fewest columns and the fewest slashes of each head whose sums reach their shares, and counts
    /// the blocks that these keep.</summary>
    /// <remarks>Of equal sums any may be chosen. A head with a sum that is not a number keeps everything, so that no
    /// damage is left out.</remarks>
    void ChooseBlocks(in BlockChoiceArguments arguments);

    /// <summary>Attention over chosen blocks, <c>keep(h, i, j) = columns[h, j] or slashes[h, i - j] or i = j</c> for
    /// key blocks <c>j &lt;= i</c>, as <see cref="IEngine.AttentionForward"/> over a layout of them.</summary>
    /// <param name="arguments">Arguments of causal attention over all blocks.</param>
    /// <param name="kept">For each sequence [2, H, blocks] as <see cref="ChooseBlocks"/> marks it, or null where all
    /// blocks are kept. Read.</param>
    void ChosenForward(in AttentionForwardArguments arguments, IReadOnlyList<Tensor?> kept);
}

/// <summary>Chosen rows of one sequence, and where their sums go.</summary>
/// <param name="Query">Q [B, N, H, D], adjacent D. Read.</param>
/// <param name="Key">K [B, N, Hkv, D], or pages, as in <see cref="AttentionForwardArguments"/>. Read.</param>
/// <param name="Sequences">The sequences of the batch.</param>
/// <param name="Index">The sequence; with pages, its row of the page table.</param>
/// <param name="Rows">R positions in the sequence, at least one, ascending, of queries that are there. Read.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="Scale">Factor of the scores.</param>
/// <param name="Pages">Null for a plain key tensor.</param>
/// <param name="LogSumExp">[H, R], contiguous: <c>LSE_i = ln sum_j exp(scale q_i k_j)</c>. Written.</param>
/// <param name="Columns">[H, blocks], contiguous: the sum by key block. Written; null when not needed.</param>
/// <param name="Slashes">[H, blocks], contiguous: the sum by query block minus key block. Written; null
/// together with <paramref name="Columns"/>.</param>
public readonly record struct AttentionSampleArguments(Tensor Query, Tensor Key, SequenceBatch Sequences, int Index,
    int[] Rows, int BlockTokens, float Scale, PageTable? Pages, Tensor LogSumExp, Tensor? Columns, Tensor? Slashes)
{
    /// <summary>The sequence.</summary>
    public Sequence Sequence => Sequences.Sequences[Index];

    /// <summary>Key blocks of the sequence: what <see cref="Columns"/> has for each head.</summary>
    public int Blocks => Layouts.BlockLayout.BlocksOf(Sequence.KeyCount, BlockTokens);
}

/// <summary>Sums to choose from, and where the choice goes.</summary>
/// <param name="Columns">[H, blocks], contiguous. Read.</param>
/// <param name="Slashes">[H, blocks], contiguous. Read.</param>
/// <param name="ColumnShare">The share of their total that kept columns reach; 1 keeps all.</param>
/// <param name="SlashShare">The share of their total that kept slashes reach; 1 keeps all.</param>
/// <param name="WindowBlocks">Distances below it are kept in place of chosen slashes; null for those.</param>
/// <param name="FirstQueryBlock">First query block of the pass: kept blocks are counted from there on.</param>
/// <param name="Kept">[2, H, blocks], contiguous Int32: 1 for a kept column, then for a kept slash, else 0.
/// Written.</param>
/// <param name="KeptBlocks">[H], contiguous Int32: pairs of query and key block that are kept, the diagonal included.
/// Written.</param>
public readonly record struct BlockChoiceArguments(Tensor Columns, Tensor Slashes, double ColumnShare,
    double SlashShare, int? WindowBlocks, int FirstQueryBlock, Tensor Kept, Tensor KeptBlocks);
