namespace S2ILGPU.Cpu.Memory;

/// <summary>Rows that a kernel reads or writes as floats, and the scratch memory that they lie in where they are stored
/// in fewer bits.</summary>
internal readonly ref struct WideRows
{
    private readonly Scratch _scratch;
    private readonly bool _isCopy;

    /// <summary>Rows where they are stored.</summary>
    public WideRows(Rows rows) => Rows = rows;

    /// <summary>Rows in scratch memory, which goes back at the end of the caller's block.</summary>
    public WideRows(Rows rows, Scratch scratch)
    {
        (Rows, _isCopy) = (rows, true);
        _scratch = scratch;
    }

    public Rows Rows { get; }

    public void Dispose()
    {
        if (_isCopy)
            _scratch.Dispose();
    }
}
