using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>What the device contract asks of its callers. The reference throws where an engine would only assert, so a
/// test of a caller notices.</summary>
internal static class Contract
{
    public static void Shape(string operation, string argument, Tensor tensor, params ReadOnlySpan<int> expected) =>
        ShapeException.ThrowUnless(operation, argument, tensor, new Shape(expected));

    public static void SameShape(string operation, Tensor a, Tensor b) =>
        ShapeException.ThrowUnless(operation, "second tensor", b, a.Shape);

    public static void Rank(string operation, string argument, Tensor tensor, int rank)
    {
        if (tensor.Shape.Rank != rank)
            throw new ShapeException(operation, argument, $"of rank {rank}", tensor.Shape.ToString());
    }

    public static void Adjacent(string operation, params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (var tensor in tensors)
            if (tensor is { Count: > 0 } && tensor.Shape.Rank > 0 && tensor.Shape[-1] > 1 && tensor.Stride(-1) != 1)
                throw new ShapeException(operation, "a tensor", "adjacent in its last dimension",
                    $"{tensor} with stride {tensor.Stride(-1)}");
    }

    public static void Contiguous(string operation, params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (var tensor in tensors)
            if (tensor is { Count: > 0, IsContiguous: false })
                throw new ShapeException(operation, "a tensor", "contiguous", $"{tensor}, strided");
    }

    public static void Require(bool holds, string operation, string message)
    {
        if (!holds)
            throw new ArgumentException($"{operation}: {message}");
    }
}
