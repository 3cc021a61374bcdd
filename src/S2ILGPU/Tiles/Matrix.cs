using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>A matrix of 16-bit elements in device memory: element (r, c) is number <c>Offset + r Stride + c</c>. An
/// element of 32 bits counts as two.</summary>
internal struct Matrix
{
    /// <summary>The memory underneath.</summary>
    public ArrayView<U4> Memory;

    /// <summary>The first element and the distance between rows, in elements: multiples of 8.</summary>
    public long Offset, Stride;

    /// <summary>Extents. Where columns are summed over, those up to the next multiple of 8 hold zeros.</summary>
    public int Rows, Columns;
}
