using ILGPU;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Arguments of <see cref="BlockChoice"/>.</summary>
internal struct BlockChoiceKernelArguments
{
    /// <summary>Sums [H, blocks]. Read.</summary>
    public ArrayView<float> Columns, Slashes;

    /// <summary>Marks [2, H, blocks] of kept columns and kept slashes: written, then read.</summary>
    public ArrayView<int> Kept;

    /// <summary>Kept blocks [H], added to.</summary>
    public ArrayView<int> KeptBlocks;

    /// <summary>The shares that kept columns and slashes reach; 1 keeps all.</summary>
    public float ColumnShare, SlashShare;

    /// <summary>Distances below it are the kept slashes; -1 for chosen ones. First query block that counts, H,
    /// blocks.</summary>
    public int Window, FirstQueryBlock, Heads, Blocks;
}

/// <summary>The fewest sums that reach a share of their total. A thread owns a sum n: it is kept where those before it
/// in descending order, equal ones by their index, do not reach the share.</summary>
/// <remarks>Without a sort: n^2 additions for each head, of which neighbouring threads read the same terms. Roofline:
/// fp32 units; with 512 blocks and 32 heads 17 million additions, far below a layer's attention.</remarks>
internal static class BlockChoice
{
    /// <summary>The marks.</summary>
    public static void Choose(BlockChoiceKernelArguments a)
    {
        int sums = a.Heads * a.Blocks;
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < 2 * sums; n += Grid.DimX * Group.DimX)
        {
            bool isSlash = n >= sums;
            int at = isSlash ? n - sums : n, own = at % a.Blocks;
            bool isKept = isSlash
                ? (a.Window >= 0 ? own < a.Window : IsKept(a.Slashes, at - own, a.Blocks, own, a.SlashShare))
                : IsKept(a.Columns, at - own, a.Blocks, own, a.ColumnShare);
            a.Kept[n] = isKept ? 1 : 0;
        }
    }

    /// <summary>Counts the blocks that the marks keep. A thread owns a query block of a head.</summary>
    public static void Count(BlockChoiceKernelArguments a)
    {
        int rows = a.Blocks - a.FirstQueryBlock;
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Heads * rows; n += Grid.DimX * Group.DimX)
        {
            int head = n / rows, i = a.FirstQueryBlock + n - head * rows, count = 1;
            int columns = head * a.Blocks, slashes = (a.Heads + head) * a.Blocks + i;
            for (int j = 0; j < i; j++)
                count += a.Kept[columns + j] | a.Kept[slashes - j];
            Atomic.Add(ref a.KeptBlocks[head], count);
        }
    }

    private static bool IsKept(ArrayView<float> sums, int first, int count, int own, float share)
    {
        float mine = sums[first + own], before = 0, total = 0;
        for (int m = 0; m < count; m++)
        {
            float sum = sums[first + m];
            total += sum;
            before += sum > mine || (sum == mine && m < own) ? sum : 0;
        }
        return share >= 1 || before < share * total || !(total < float.PositiveInfinity);
    }
}
