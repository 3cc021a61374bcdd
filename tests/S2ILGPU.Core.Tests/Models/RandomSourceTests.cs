using S2ILGPU.Models;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

public sealed class RandomSourceTests
{
    [Fact]
    public void The_logarithm_is_exact_to_the_last_digits()
    {
        for (double x = 1e-300; x < 1; x *= 1.7)
        {
            double expected = Math.Log(x);
            Assert.True(Math.Abs(RandomSource.NaturalLogarithm(x) - expected) <= 4e-16
                * Math.Max(1, Math.Abs(expected)),
                $"ln {x:r}: {RandomSource.NaturalLogarithm(x):r}, expected {expected:r}");
        }
    }

    [Fact]
    public void Normal_values_have_the_moments_of_a_normal_distribution()
    {
        var source = new RandomSource(1); // fixed: a statement about the generator, not about luck
        const int count = 1_000_000;
        double sum = 0, square = 0, fourth = 0, beyondTwo = 0;
        for (int i = 0; i < count; i++)
        {
            double x = source.NextNormal();
            (sum, square, fourth) = (sum + x, square + x * x, fourth + x * x * x * x);
            beyondTwo += Math.Abs(x) > 2 ? 1 : 0;
        }
        Assert.InRange(sum / count, -0.005, 0.005);
        Assert.InRange(square / count, 0.99, 1.01);
        Assert.InRange(fourth / count, 2.9, 3.1);
        Assert.InRange(beyondTwo / count, 0.0445, 0.0465);
    }

    [Fact]
    public void Integers_are_evenly_spread()
    {
        var source = new RandomSource(2);
        var counts = new int[7];
        for (int i = 0; i < 70_000; i++)
            counts[source.NextInteger(7)]++;
        Assert.All(counts, count => Assert.InRange(count, 9_600, 10_400));
        Assert.Equal(0, source.NextInteger(1));
        Assert.Throws<ArgumentException>(() => source.NextInteger(0));
    }

    [Fact]
    public void Seeds_and_streams_differ()
    {
        ulong[] seeds = [0, 1, 2, ulong.MaxValue];
        string[] streams = ["", "a", "b", "ab", "ba"];
        ulong[] first = [.. from seed in seeds from stream in streams select new RandomSource(seed, stream).NextBits()];
        Assert.Equal(first.Length, first.Distinct().Count());
        Assert.Equal(new RandomSource(5, "w").NextNormal(), new RandomSource(5, "w").NextNormal());
    }

    [Fact]
    public void The_bits_never_change()
    {
        var source = new RandomSource(42, "model.norm.weight");
        var values = new float[3];
        source.FillNormal(values, 0.02);
        Assert.Equal(Pinned, values.Select(BitConverter.SingleToUInt32Bits));
    }

    private static readonly uint[] Pinned = [1003930966, 1008513256, 3165314590];
}
