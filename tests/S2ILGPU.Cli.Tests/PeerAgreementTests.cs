using S2ILGPU.Peers;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>Times are compared where both sides computed the same thing, and nowhere else.</summary>
public sealed class PeerAgreementTests
{
    [Fact]
    public void The_largest_difference_counts_relative_to_the_largest_value()
    {
        Assert.Equal(0.75 / 4, Agreement.Check("dQ", [1, 2.75f, -4], [1, 2, -4], tolerance: 0.2), 7);
        Assert.Contains("dQ differs by 1.9e-1 of the largest value, at most 1.0e-1 is the same thing; at 1: ours 2.75, "
            + "the peer's 2", Refusal([1, 2.75f, -4], [1, 2, -4]));
        Assert.Contains("3 values of ours, 2 of the peer's", Refusal([1, 2, 3], [1, 2]));
    }

    // One of a side alone, in the middle, and of both.
    [Theory]
    [InlineData(float.NaN, 2, "at 1: ours NaN")]
    [InlineData(2, float.NaN, "the peer's NaN")]
    [InlineData(float.NaN, float.NaN, "at 1: ours NaN, the peer's NaN")]
    public void What_is_no_number_never_agrees(float ours, float theirs, string message) =>
        Assert.Contains(message, Refusal([1, ours, 3, 4], [1, theirs, 3, 4]));

    private static string Refusal(float[] ours, float[] theirs) =>
        Assert.Throws<DisagreementException>(() => Agreement.Check("dQ", ours, theirs, tolerance: 0.1)).Message;
}
