using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Sparse attention forward.</summary>
public abstract class AttentionForwardTests(Func<IEngine> create, ElementType? type = null)
    : AttentionSweeps(create, type)
{
    /// <inheritdoc/>
    protected override long RandomWork => 12_000_000;

    /// <inheritdoc/>
    protected override void RunCase(AttentionCase problem) => CheckForward(problem);

    [Theory]
    [InlineData(Batching.Padded)]
    [InlineData(Batching.Packed)]
    public void Layouts_of_the_last_rows(Batching batching)
    {
        foreach (string pattern in (string[])["L2 s3", "dense", "dense non-causal", "L1 s3 by query head", "random"])
            Run(s_case with { QueryCounts = [1, 5, 17, 64, 0], KeyCounts = [90, 32, 50, 129, 20],
                Batching = batching, Pattern = pattern, HeadDim = 16,
                LayoutPerSequence = true, PaddingRows = 3 });
    }

    [Theory]
    [InlineData(1.0, 30.0)]
    [InlineData(30.0, 1.0)]
    [InlineData(0.01, 1e6)]
    public void Saturated_scores(double magnitude, double relativeScale)
    {
        foreach (string pattern in (string[])["L2 s3", "dense non-causal", "random mostly empty"])
            Run(s_case.OfLength(90) with { Magnitude = magnitude, RelativeScale = relativeScale,
                Pattern = pattern });
    }
}
