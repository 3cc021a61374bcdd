namespace ILGPU;

/// <summary>The strides of one-dimensional views.</summary>
public static class Stride1D
{
    /// <summary>Elements follow one another.</summary>
    public readonly struct Dense : IStride1D
    {
        /// <summary>One element.</summary>
        public int XStride => 1;
    }
}
