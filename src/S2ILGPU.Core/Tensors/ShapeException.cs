namespace S2ILGPU.Tensors;

/// <summary>An argument of an operation has the wrong shape, element type or extent; the message carries the operation,
/// the argument, what was expected and what came.</summary>
/// <param name="operation">Name of the operation.</param>
/// <param name="argument">Name of the argument.</param>
/// <param name="expected">What was expected, as a person would write it.</param>
/// <param name="actual">What came.</param>
public sealed class ShapeException(string operation, string argument, string expected, string actual)
    : ArgumentException($"{operation}: {argument} must be {expected}, got {actual}")
{
    /// <summary>Throws unless a tensor has the expected shape.</summary>
    /// <param name="operation">Name of the operation.</param>
    /// <param name="argument">Name of the argument.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="expected">The shape it must have.</param>
    /// <exception cref="ShapeException">The shape differs.</exception>
    public static void ThrowUnless(string operation, string argument, Tensor tensor, Shape expected)
    {
        if (tensor.Shape != expected)
            throw new ShapeException(operation, argument, expected.ToString(), tensor.Shape.ToString());
    }
}
