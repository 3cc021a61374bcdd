using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>Gradients of sparse attention, with and without a gradient into the log-sum-exp.</summary>
public abstract class AttentionBackwardTests(Func<IEngine> create, ElementType? type = null)
    : AttentionSweeps(create, type)
{
    /// <inheritdoc/>
    protected override long RandomWork => 6_000_000;

    /// <inheritdoc/>
    protected override void RunCase(AttentionCase problem) => CheckBackward(problem);
}
