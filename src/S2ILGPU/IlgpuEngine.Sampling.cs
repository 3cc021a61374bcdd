using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine : IAttentionSampler
{
    private readonly DeviceSampler _sampler;

    /// <inheritdoc/>
    public bool IsQueued => true;

    /// <inheritdoc/>
    public void SampleRows(in AttentionSampleArguments arguments) => _sampler.SampleRows(arguments);

    /// <inheritdoc/>
    public void ChooseBlocks(in BlockChoiceArguments arguments) => _sampler.ChooseBlocks(arguments);

    /// <inheritdoc/>
    /// <remarks>The device writes the lists of its kernels. A plan has room for the lists of all blocks: 4 bytes for
    /// each entry, position and mask, once for the layers of a pass.</remarks>
    public void ChosenForward(in AttentionForwardArguments arguments, IReadOnlyList<Tensor?> kept)
    {
        ArgumentNullException.ThrowIfNull(kept);
        _attention.Forward(arguments, kept);
    }
}
