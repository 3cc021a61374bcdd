using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Optimizer;

/// <summary>What a sum in two floats must do beyond the contract's tests.</summary>
public sealed class SumOfSquaresTests
{
    [Fact]
    public void Small_squares_beside_a_large_one_are_not_lost()
    {
        // Each small square is below half a unit in the last place of the large one: a plain sum of floats, in this
        // order in one thread, would stay at 2^24.
        var values = new float[100_000];
        Array.Fill(values, 0.7f);
        // whichever way elements are dealt to threads, each thread begins with a large one
        for (int n = 0; n < 1000; n++)
            values[n] = 4096;
        double exact = values.Sum(x => (double)x * x);
        Assert.Equal((float)exact, SumOf(values), 2 * MathF.BitIncrement((float)exact) - 2 * (float)exact);
    }

    [Theory]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(1e30f, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Infinity_and_NaN_stay_what_they_are(float value, float expected) =>
        Assert.Equal(expected, SumOf([1, 2, value, 3]));

    private static float SumOf(float[] values)
    {
        using var engine = Emulated.Create();
        using var x = engine.Allocate(new Shape(values.Length), ElementType.Float32);
        using var result = engine.Allocate(new Shape(1), ElementType.Float32);
        engine.Upload(values, x);
        engine.SumOfSquares([[x]], result);
        return engine.ToArray(result)[0];
    }
}
