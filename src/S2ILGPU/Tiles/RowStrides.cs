namespace S2ILGPU.Tiles;

/// <summary>Where the rows of a tensor [B, N, H, D] lie, in elements: row n of head h of batch b begins at <c>Offset +
/// b Batch + n Row + h Head</c>, its D elements are adjacent.</summary>
internal struct RowStrides
{
    /// <summary>First element of the tensor in its memory.</summary>
    public long Offset;

    /// <summary>Distance between entries of the outermost dimension.</summary>
    public long Batch;

    /// <summary>Distance between neighbouring rows of a head.</summary>
    public long Row;

    /// <summary>Distance between neighbouring heads.</summary>
    public long Head;
}
