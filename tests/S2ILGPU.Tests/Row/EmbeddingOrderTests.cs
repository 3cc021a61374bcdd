using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Row;

/// <summary>The gradient of the embedding has the bits of additions in the order of t.</summary>
public sealed class EmbeddingOrderTests
{
    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 1)]
    [InlineData(63, 5)]
    [InlineData(64, 200)]
    [InlineData(65, 9)]
    [InlineData(1001, 40)]
    public void Tokens_are_added_in_the_order_of_t(int tokens, int rows)
    {
        const int columns = 5;
        var random = Seeds.NewRandom();
        int[] ids = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(-1, rows + 1))]; // two are outside
        float[] dy = [.. random.Normal(tokens * columns).Select(x => (float)x)],
            expected = [.. random.Normal(rows * columns).Select(x => (float)x)];
        using var engine = Emulated.Create();
        using Tensor indices = engine.FromArray(ids, tokens), gradient = engine.FromArray(dy, tokens, columns),
            table = engine.FromArray(expected, rows, columns);
        engine.EmbeddingBackward(indices, gradient, GradientTarget.AddTo(table));
        for (int t = 0; t < tokens; t++)
            if (ids[t] >= 0 && ids[t] < rows)
                for (int c = 0; c < columns; c++)
                    expected[ids[t] * columns + c] += dy[t * columns + c];
        Assert.True(expected.AsSpan().SequenceEqual(engine.ToArray(table)), Seeds.Text);
    }
}
