using ILGPU;

namespace S2ILGPU.Memory;

/// <summary>A tensor seen by a kernel as rows of adjacent elements: element (r, c) is at <c>Offset + r Stride + c</c>
/// of the memory underneath.</summary>
internal struct DeviceRows
{
    /// <summary>The memory underneath, as 32-bit words.</summary>
    public ArrayView<int> Words;

    /// <summary>First element of the first row, in elements.</summary>
    public long Offset;

    /// <summary>Number of rows: the product of all extents but the last.</summary>
    public long Count;

    /// <summary>Distance between rows, in elements.</summary>
    public long Stride;

    /// <summary>Elements of a row.</summary>
    public int Columns;
}
