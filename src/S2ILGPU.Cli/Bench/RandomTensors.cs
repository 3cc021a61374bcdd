using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench;

/// <summary>Tensors to compute with. Every run has the same numbers.</summary>
internal static class RandomTensors
{
    /// <summary>A tensor of numbers with mean 0 and standard deviation 1.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="seed">Other seeds give other numbers.</param>
    /// <param name="shape">The extents.</param>
    public static Tensor Random(this IEngine engine, int seed, params ReadOnlySpan<int> shape)
    {
        var tensor = engine.Allocate(new Shape(shape), ElementType.Float32);
        var values = new float[tensor.Count];
        Fill(values, seed);
        engine.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Fills memory with numbers of mean 0 and standard deviation 1: sums of four uniform ones, near enough to
    /// normal.</summary>
    public static void Fill(Span<float> values, int seed)
    {
        ulong state = (ulong)seed * 0x9e3779b97f4a7c15 + 0x1234567;
        foreach (ref float value in values)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ulong sum = (state & 0xffff) + (state >> 16 & 0xffff) + (state >> 32 & 0xffff) + (state >> 48);
            value = (sum / 65536f - 2) * 1.7320508f;
        }
    }
}
