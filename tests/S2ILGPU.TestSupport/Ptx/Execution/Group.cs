namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Position or size in three dimensions.</summary>
public readonly record struct PtxDim(int X, int Y = 1, int Z = 1)
{
    /// <summary>Number of elements.</summary>
    public long Count => (long)X * Y * Z;

    public static implicit operator PtxDim(int x) => new(x);

    public override string ToString() => $"({X}, {Y}, {Z})";
}

/// <summary>A group of threads: its warps in turns, seeded, from barrier to barrier. The same object serves all groups
/// of a launch, one after another.</summary>
internal sealed unsafe class Group : IDisposable
{
    private readonly Warp[] _warps;
    private readonly PtxProgram _program;
    private readonly PtxOptions _options;
    private readonly PtxDim _grid, _size;

    public Group(PtxProgram program, PtxOptions options, PtxDim grid, PtxDim size, byte[] arguments,
        int dynamicSharedBytes, GlobalMemory global)
    {
        (_program, _options, _grid, _size, Arguments, Global) = (program, options, grid, size, arguments, global);
        DynamicSharedBytes = dynamicSharedBytes;
        Shared = new SharedMemory(program.DynamicSharedOffset + dynamicSharedBytes, options.DetectRaces);
        _warps = new Warp[(size.Count + 31) / 32];
        for (int w = 0; w < _warps.Length; w++)
        {
            _warps[w] = new Warp(this, w, program);
            program.WriteConstants(_warps[w].Registers);
        }
    }

    public PtxOptions Options => _options;

    public byte[] Arguments { get; }

    public GlobalMemory Global { get; }

    public SharedMemory Shared { get; }

    public int DynamicSharedBytes { get; }

    public PtxDim Position { get; private set; }

    /// <summary>Runs one group; returns the instructions that its warps executed.</summary>
    public long Run(PtxDim position, Random random)
    {
        Position = position;
        Shared.Reset();
        foreach (var warp in _warps)
        {
            warp.Start((int)Math.Min(32, _size.Count - warp.FirstThread));
            _program.WriteSpecialRegisters(warp, _grid, _size, position);
        }
        long executed = 0;
        int running = _warps.Length;
        var runnable = _warps.ToList();
        while (running > 0)
        {
            while (runnable.Count > 0)
            {
                int turn = random.Next(runnable.Count);
                var warp = runnable[turn];
                executed += warp.Run(1L << random.Next(4, 14));
                if (executed > _options.MaximumWarpInstructions * _warps.Length)
                    throw new PtxFaultException($"group {position} does not end: {executed} instructions");
                if (warp.State != WarpState.Runnable)
                    runnable.RemoveAt(turn);
            }
            running = _warps.Count(warp => warp.State != WarpState.Ended);
            if (running > 0)
                runnable = [.. LeaveBarrier()];
        }
        return executed;
    }

    public void Dispose()
    {
        foreach (var warp in _warps)
            warp.Dispose();
        Shared.Dispose();
    }

    // Everybody stands at a barrier or has ended.
    private Warp[] LeaveBarrier()
    {
        var first = _warps.First(warp => warp.State == WarpState.AtBarrier);
        foreach (var warp in _warps)
        {
            if (warp.State == WarpState.Ended)
                throw new PtxFaultException(
                    $"divergent barrier: warp {warp.Index} of group {Position} has ended, warp {first.Index} waits at "
                    + $"line {first.Current?.Statement.Line}");
            if (warp.Current != first.Current)
                throw new PtxFaultException(
                    $"divergent barrier: warps of group {Position} wait at lines {first.Current?.Statement.Line} and "
                    + $"{warp.Current?.Statement.Line}");
        }
        ((GroupBarrier)first.Current!).Meet(_warps);
        Shared.Races?.GroupBarrier();
        foreach (var warp in _warps)
            warp.LeaveBarrier();
        return _warps;
    }
}
