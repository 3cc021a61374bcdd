using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>Between arrays of the host and tensors of an engine.</summary>
public static class TensorTransfer
{
    /// <summary>A tensor with the given values.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="values">Row-major values; rounded to <see cref="IEngine.FloatType"/>.</param>
    /// <param name="shape">The extents; none for one dimension.</param>
    /// <returns>A contiguous tensor; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">There are more or fewer values than the shape has elements.</exception>
    public static Tensor FromArray(this IEngine engine, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var tensor = engine.Allocate(ShapeOf(values.Length, shape), engine.FloatType);
        engine.Upload(values, tensor);
        return tensor;
    }

    /// <summary>An Int32 tensor with the given values.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="values">Row-major values.</param>
    /// <param name="shape">The extents; none for one dimension.</param>
    /// <returns>A contiguous tensor; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">There are more or fewer values than the shape has elements.</exception>
    public static Tensor FromArray(this IEngine engine, ReadOnlySpan<int> values, params ReadOnlySpan<int> shape)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var tensor = engine.Allocate(ShapeOf(values.Length, shape), ElementType.Int32);
        engine.Upload(values, tensor);
        return tensor;
    }

    /// <summary>A tensor of zeros in the engine's float type.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="shape">The extents.</param>
    /// <returns>A contiguous tensor; the caller disposes it.</returns>
    public static Tensor Zeros(this IEngine engine, params ReadOnlySpan<int> shape)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var tensor = engine.Allocate(new Shape(shape), engine.FloatType);
        engine.Fill(tensor, 0);
        return tensor;
    }

    /// <summary>Waits for the work so far and copies a float tensor of any strides to the host.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="tensor">The tensor.</param>
    /// <returns>The values in row-major order.</returns>
    /// <exception cref="ArgumentException">The tensor has more elements than an array can hold.</exception>
    public static float[] ToArray(this IEngine engine, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var values = new float[Elements(tensor)];
        engine.Download(tensor, values);
        return values;
    }

    /// <summary>Waits for the work so far and copies an Int32 tensor to the host.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="tensor">The tensor.</param>
    /// <returns>The values in row-major order.</returns>
    /// <exception cref="ArgumentException">The tensor has more elements than an array can hold.</exception>
    public static int[] ToIntArray(this IEngine engine, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var values = new int[Elements(tensor)];
        engine.Download(tensor, values);
        return values;
    }

    private static long Elements(Tensor tensor) => tensor.Count <= Array.MaxLength ? tensor.Count
        : throw new ArgumentException(
            $"{tensor} has {tensor.Count} elements, more than the {Array.MaxLength} of an array");

    private static Shape ShapeOf(int values, ReadOnlySpan<int> extents)
    {
        var shape = extents.IsEmpty ? new Shape(values) : new Shape(extents);
        return shape.Count == values ? shape
            : throw new ArgumentException($"{values} values for a tensor {shape} of {shape.Count} elements");
    }
}
