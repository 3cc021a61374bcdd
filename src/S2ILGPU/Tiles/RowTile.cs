namespace S2ILGPU.Tiles;

/// <summary>The work of one group of threads: a tile of neighbouring rows of one head of one sequence, and the list of
/// column tiles that it meets.</summary>
/// <remarks>
/// <para>Rows are queries (forward pass, dQ, decoding) or keys (dK and dV); columns are the other side. A row tile is
/// aligned to absolute positions, so that blocks of the pattern never straddle two tiles; when the first row of a
/// sequence is not aligned, the tile begins above it and <see cref="BeginRow"/> says where its rows begin.</para>
/// <para>Every list, mask and limit is prepared on the host, so a kernel knows neither patterns nor batches nor head
/// groups.</para>
/// </remarks>
internal struct RowTile
{
    /// <summary>Index along the outermost dimension of the row tensors.</summary>
    public int Batch;

    /// <summary>Head of the row tensors.</summary>
    public int Head;

    /// <summary>Row of the tensors where the tile begins; below <see cref="BeginRow"/> when the sequence begins inside
    /// the tile.</summary>
    public int FirstRow;

    /// <summary>First row of the sequence in the tensors.</summary>
    public int BeginRow;

    /// <summary>End, exclusive, of the rows of the sequence in the tensors.</summary>
    public int EndRow;

    /// <summary>Absolute position of the tile's first row.</summary>
    public int FirstPosition;

    /// <summary>First tile of 64 packed rows that holds the tile, where row operands are packed: tiles are numbered by
    /// sequence, head and position.</summary>
    public int PackedTile;

    /// <summary>End, exclusive, of the columns of the sequence, as an absolute position.</summary>
    public int ColumnEnd;

    /// <summary>What to add to an entry of the list to get the number of a block in memory, or to get an index into the
    /// page table.</summary>
    public int ColumnBase;

    /// <summary>First column tile of the list.</summary>
    public int Start;

    /// <summary>End of the column tiles that need no mask; those with a mask follow.</summary>
    public int FullEnd;

    /// <summary>End of the column tiles.</summary>
    public int End;

    /// <summary>Bit r: rows 16r to 16r + 15 see a column. Others have output 0 and log-sum-exp -inf, while a row that
    /// sees only scores of -inf is 0 / 0.</summary>
    public uint SeenRows;
}
