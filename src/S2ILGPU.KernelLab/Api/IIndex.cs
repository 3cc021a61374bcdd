namespace ILGPU;

/// <summary>The index of a thread in a launch that ILGPU groups itself, and the extent of such a launch.</summary>
public interface IIndex
{
    /// <summary>The product of the dimensions.</summary>
    long Size { get; }

    /// <summary>The index with this number inside this extent, X fastest.</summary>
    internal IIndex FromLinear(int number);
}
