using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The part of a matrix or a vector that one rank has: ranges of its rows or of its columns.</summary>
/// <param name="Dimension">0 for rows, 1 for columns.</param>
/// <param name="Ranges">First index and number of indices; they do not meet.</param>
internal sealed record ParameterSlice(int Dimension, IReadOnlyList<(int Start, int Count)> Ranges)
{
    /// <summary>Shape of the part.</summary>
    public Shape Of(Shape whole) => whole.With(Dimension, Ranges.Sum(range => range.Count));

    /// <summary>Copies the part out of the whole.</summary>
    public float[] Take(ReadOnlySpan<float> whole, Shape shape)
    {
        float[] part = new float[Of(shape).Count];
        foreach (var (from, to, count) in Runs(shape))
            whole.Slice(from, count).CopyTo(part.AsSpan(to));
        return part;
    }

    /// <summary>Copies the part to its place in the whole.</summary>
    public void Put(ReadOnlySpan<float> part, Shape shape, Span<float> whole)
    {
        foreach (var (to, from, count) in Runs(shape))
            part.Slice(from, count).CopyTo(whole[to..]);
    }

    // Neighbouring elements: where they lie in the whole, and where in the part.
    private IEnumerable<(int Whole, int Part, int Count)> Runs(Shape shape)
    {
        int width = Dimension == 0 ? (int)(shape.Count / shape[0]) : 1, rows = Dimension == 0 ? 1 : shape[0], part = 0;
        for (int row = 0; row < rows; row++)
            foreach (var (start, count) in Ranges)
            {
                yield return (row * (int)(shape.Count / rows) + start * width, part, count * width);
                part += count * width;
            }
    }
}
