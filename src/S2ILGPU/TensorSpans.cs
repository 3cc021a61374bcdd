using System.Numerics.Tensors;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU;

/// <summary>Between the tensor spans of <c>System.Numerics.Tensors</c> and tensors of an engine.</summary>
public static class TensorSpans
{
    /// <summary>A tensor with the values of a span.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="values">One to four dimensions, any strides; rounded to <see cref="IEngine.FloatType"/>.
    /// Copied.</param> <returns>A contiguous tensor of the span's shape; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">The span has more than four dimensions, or a dimension beyond 32
    /// bits.</exception>
    public static S2ILGPU.Tensors.Tensor FromTensorSpan(this IEngine engine, in ReadOnlyTensorSpan<float> values)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var tensor = engine.Allocate(ShapeOf(values.Lengths), engine.FloatType);
        engine.Upload(Flat(values), tensor);
        return tensor;
    }

    /// <summary>Copies the values of a span into a tensor of its shape, of any strides and float type.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="source">Any strides. Read.</param>
    /// <param name="destination">Written.</param>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static void Upload(this IEngine engine, in ReadOnlyTensorSpan<float> source,
        S2ILGPU.Tensors.Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(destination);
        ShapeException.ThrowUnless(nameof(Upload), nameof(destination), destination, ShapeOf(source.Lengths));
        engine.Upload(Flat(source), destination);
    }

    /// <summary>Waits for the work so far and copies a tensor into a span of its shape.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="source">A float tensor of any strides. Read.</param>
    /// <param name="destination">Any strides. Written.</param>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static void Download(this IEngine engine, S2ILGPU.Tensors.Tensor source, in TensorSpan<float> destination)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(source);
        ShapeException.ThrowUnless(nameof(Download), nameof(source), source, ShapeOf(destination.Lengths));
        float[] values = engine.ToArray(source);
        new ReadOnlyTensorSpan<float>(values, destination.Lengths).CopyTo(destination);
    }

    private static Shape ShapeOf(ReadOnlySpan<nint> lengths)
    {
        if (lengths.Length > Shape.MaxRank)
            throw new ArgumentException($"a tensor has at most {Shape.MaxRank} dimensions, the span has "
                + $"{lengths.Length}");
        Span<int> extents = stackalloc int[lengths.Length];
        for (int d = 0; d < extents.Length; d++)
            extents[d] = lengths[d] <= int.MaxValue ? (int)lengths[d]
                : throw new ArgumentException($"dimension {d} of the span has {lengths[d]} elements");
        return new Shape(extents);
    }

    private static float[] Flat(in ReadOnlyTensorSpan<float> values)
    {
        var flat = new float[values.FlattenedLength];
        values.FlattenTo(flat);
        return flat;
    }
}
