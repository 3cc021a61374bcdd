using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>Rows of adjacent elements of a stored type, read and written in quads. The type is a parameter of the
/// kernel: what a kernel gets looks alike for all types.</summary>
internal struct RowView
{
    /// <summary>The memory underneath, as 32-bit words.</summary>
    public ArrayView<int> Words;

    /// <summary>First element of the first row, distance between rows, and elements of a row, in elements.</summary>
    public long Offset, Stride, Columns;

    /// <summary>Whether every row begins at a multiple of 4 elements (1) or not (0).</summary>
    public int IsAligned;

    /// <summary>First element of a row.</summary>
    public readonly long Start(int row) => Offset + row * Stride;

    /// <summary>The elements of a row from a column on, a multiple of 4; 0 past its end.</summary>
    public readonly Quad Load<TStored>(int row, long column) where TStored : struct, IStoredElement =>
        Quad.Load<TStored>(Words, Start(row) + column, Columns - column, IsAligned);

    /// <summary>Overwrites the elements of a row from a column on, a multiple of 4; those past its end are
    /// dropped.</summary>
    public readonly void Store<TStored>(int row, long column, Quad elements) where TStored : struct, IStoredElement =>
        elements.Store<TStored>(Words, Start(row) + column, Columns - column, IsAligned);
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

    /// <summary>Adds to the elements of a row from a column on, a multiple of 4, or overwrites them.</summary>
    public readonly void Put<TStored>(int row, long column, Quad gradient) where TStored : struct, IStoredElement
    {
        if (Accumulate != 0)
            gradient = Rows.Load<TStored>(row, column) + gradient;
        Rows.Store<TStored>(row, column, gradient);
    }
}
