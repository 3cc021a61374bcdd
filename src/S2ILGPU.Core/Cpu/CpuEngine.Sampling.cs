using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine : IAttentionSampler
{
    /// <inheritdoc/>
    public bool IsQueued => false;

    /// <inheritdoc/>
    public void SampleRows(in AttentionSampleArguments arguments) => Attention.SampleRows(arguments);

    /// <inheritdoc/>
    public void ChooseBlocks(in BlockChoiceArguments arguments)
    {
        var (a, shape) = (arguments, arguments.Columns.Shape);
        int heads = shape[0], blocks = shape[1];
        float* columns = CpuTensors.Floats(a.Columns), slashes = CpuTensors.Floats(a.Slashes);
        int* kept = CpuTensors.Ints(a.Kept), counts = CpuTensors.Ints(a.KeptBlocks);
        for (int head = 0; head < heads; head++)
        {
            var keptColumns = new Span<int>(kept + head * blocks, blocks);
            var keptSlashes = new Span<int>(kept + (heads + head) * blocks, blocks);
            BlockChoice.Fewest(new ReadOnlySpan<float>(columns + head * blocks, blocks), a.ColumnShare, keptColumns);
            if (a.WindowBlocks is { } window)
                for (int distance = 0; distance < blocks; distance++)
                    keptSlashes[distance] = distance < window ? 1 : 0;
            else
                BlockChoice.Fewest(new ReadOnlySpan<float>(slashes + head * blocks, blocks), a.SlashShare, keptSlashes);
            counts[head] = BlockChoice.Count(keptColumns, keptSlashes, a.FirstQueryBlock);
        }
    }

    /// <inheritdoc/>
    public void ChosenForward(in AttentionForwardArguments arguments, IReadOnlyList<Tensor?> kept)
    {
        ArgumentNullException.ThrowIfNull(kept);
        var layouts = new BlockLayout[kept.Count];
        for (int s = 0; s < layouts.Length; s++)
            layouts[s] = kept[s] is { } marks ? Chosen(arguments, s, marks)
                : arguments.Layouts?[s] ?? arguments.Layout;
        AttentionForward(arguments with { Layouts = layouts });
    }

    private BlockLayout Chosen(in AttentionForwardArguments arguments, int s, Tensor marks)
    {
        var (sequence, pattern) = (arguments.Sequences.Sequences[s], arguments.Layout.Pattern);
        int block = pattern.BlockTokens, first = sequence.FirstQueryPosition / block, end = marks.Shape[2];
        return BlockLayout.Create(BlockChoice.Pattern(this.ToIntArray(marks), pattern), end * block,
            (end - first) * block);
    }
}
