namespace ILGPU;

/// <summary>How the elements of a one-dimensional view lie in memory.</summary>
public interface IStride1D
{
    /// <summary>Elements from one index to the next.</summary>
    int XStride { get; }
}
