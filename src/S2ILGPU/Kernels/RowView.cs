using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>Rows of adjacent float32: element (i, c) is <c>Data[Start(i) + c]</c>.</summary>
internal struct RowView
{
    /// <summary>From the first element of the first row to the last element of the last row.</summary>
    public ArrayView<float> Data;

    /// <summary>Distance between rows, in elements.</summary>
    public long Stride;

    /// <summary>First element of a row.</summary>
    public readonly long Start(int row) => row * Stride;
}

/// <summary>Rows of adjacent elements of any float type: element (i, c) is <c>Load(Words, Start(i) + c)</c> of <see
/// cref="IStoredElement"/>.</summary>
internal struct StoredRows
{
    /// <summary>The memory underneath.</summary>
    public ArrayView<int> Words;

    /// <summary>First element of the first row, and the distance between rows, in elements.</summary>
    public long Offset, Stride;

    /// <summary>First element of a row.</summary>
    public readonly long Start(int row) => Offset + row * Stride;
}

/// <summary>Rows that receive a gradient.</summary>
internal struct RowTarget
{
    /// <summary>The rows; empty when the gradient is not needed.</summary>
    public RowView Rows;

    /// <summary>Add to what is there (1) or overwrite (0).</summary>
    public int Accumulate;

    /// <summary>Whether the gradient is needed (1) or not (0).</summary>
    public int IsNeeded;

    /// <summary>Adds to an element, or overwrites it.</summary>
    public readonly void Put(int row, int column, float gradient)
    {
        long index = Rows.Start(row) + column;
        Rows.Data[index] = Accumulate != 0 ? Rows.Data[index] + gradient : gradient;
    }
}
