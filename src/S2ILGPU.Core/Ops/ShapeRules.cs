using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>The checks that ops share; each throws a <see cref="ShapeException"/> with both sides.</summary>
internal static class ShapeRules
{
    public static void Rank(string operation, string argument, Shape shape, int rank)
    {
        if (shape.Rank != rank)
            throw new ShapeException(operation, argument, $"of rank {rank}", shape.ToString());
    }

    public static void RowsOrBatch(string operation, string argument, Shape shape)
    {
        if (shape.Rank is not (2 or 3))
            throw new ShapeException(operation, argument, "[T, C] or [B, N, C]", shape.ToString());
    }

    public static void Same(string operation, string argument, Shape shape, Shape expected)
    {
        if (shape != expected)
            throw new ShapeException(operation, argument, expected.ToString(), shape.ToString());
    }

    public static void Integers(string operation, string argument, Variable values, long count)
    {
        if (values.Value.ElementType != ElementType.Int32 || values.Value.Count != count)
            throw new ShapeException(operation, argument, $"Int32 with {count} elements", values.Value.ToString());
    }

    /// <summary>[B, N, C] seen as [B * N, C].</summary>
    public static Shape Rows(Shape shape) => (long)shape[0] * shape[1] <= int.MaxValue
        ? new Shape(shape[0] * shape[1], shape[2])
        : throw new ShapeException(nameof(Rows), "B * N", $"at most {int.MaxValue}", shape.ToString());
}
