using S2ILGPU.Tensors;

namespace S2ILGPU.Native;

/// <summary>Which bytes the elements of a tensor of the caller are: rows of equal length, in any order.</summary>
internal sealed class OperandMemory
{
    private readonly Tensor _tensor;
    private readonly long _address, _rowBytes, _end;
    private readonly int _outerDimensions;

    /// <summary>The bytes of a tensor.</summary>
    /// <param name="name">The argument.</param>
    /// <param name="address">Of the first element.</param>
    /// <param name="tensor">The view.</param>
    public OperandMemory(string name, nint address, Tensor tensor)
    {
        (Name, _tensor, _address) = (name, tensor, address);
        // The innermost dimensions that follow each other without a gap are one row.
        long elements = 1, last = 0;
        _outerDimensions = tensor.Shape.Rank;
        while (_outerDimensions > 0 && ExtentOf(_outerDimensions - 1) is int extent
            && (extent == 1 || tensor.Stride(_outerDimensions - 1) == elements))
        {
            elements *= extent;
            _outerDimensions--;
        }
        for (int d = 0; d < tensor.Shape.Rank; d++)
            last += (ExtentOf(d) - 1L) * tensor.Stride(d);
        int size = tensor.ElementType.SizeBytes();
        (_rowBytes, _end) = (elements * size, address + (last + 1) * size);
    }

    /// <summary>The argument.</summary>
    public string Name { get; }

    /// <summary>Whether a byte belongs to both.</summary>
    /// <remarks>O(1) where the address ranges are apart, as they are in most calls; otherwise the rows of both are
    /// sorted, so that parts of one tensor, such as Q, K and V side by side, count as apart.</remarks>
    public bool Overlaps(OperandMemory other)
    {
        if (_tensor.Count == 0 || other._tensor.Count == 0 || _end <= other._address || other._end <= _address)
            return false;
        long[] rows = Rows(), others = other.Rows();
        for (int r = 0, o = 0; r < rows.Length && o < others.Length;)
        {
            if (rows[r] + _rowBytes <= others[o])
                r++;
            else if (others[o] + other._rowBytes <= rows[r])
                o++;
            else
                return true;
        }
        return false;
    }

    // A repeated dimension is the same memory again.
    private int ExtentOf(int dimension) =>
        _tensor.Stride(dimension) == 0 ? Math.Min(1, _tensor.Shape[dimension]) : _tensor.Shape[dimension];

    // Addresses of the rows, ascending.
    private long[] Rows()
    {
        int size = _tensor.ElementType.SizeBytes();
        long[] rows = [_address];
        for (int d = 0; d < _outerDimensions; d++)
        {
            var outer = rows;
            int extent = ExtentOf(d);
            long stride = (long)_tensor.Stride(d) * size;
            rows = new long[checked(outer.Length * extent)];
            for (int r = 0; r < rows.Length; r++)
                rows[r] = outer[r / extent] + r % extent * stride;
        }
        Array.Sort(rows);
        return rows;
    }
}
