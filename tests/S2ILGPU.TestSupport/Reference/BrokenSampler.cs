using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>A <see cref="BrokenEngine"/> that samples rows too.</summary>
/// <param name="operation">Name of the operation.</param>
/// <param name="spoil">What happens to the result.</param>
public sealed class BrokenSampler(string operation, Action<Tensor> spoil) : BrokenEngine(operation, spoil),
    IAttentionSampler
{
    public bool IsQueued => Inner.IsQueued;

    public void SampleRows(in AttentionSampleArguments arguments)
    {
        var a = arguments;
        Then(nameof(SampleRows), a.LogSumExp, () => Inner.SampleRows(a));
    }

    public void ChooseBlocks(in BlockChoiceArguments arguments) => Inner.ChooseBlocks(arguments);

    public void ChosenForward(in AttentionForwardArguments arguments, IReadOnlyList<Tensor?> kept) =>
        Inner.ChosenForward(arguments, kept);
}
