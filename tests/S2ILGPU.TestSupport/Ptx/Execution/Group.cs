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
    private readonly Clock _clock;

    public Group(PtxProgram program, PtxOptions options, PtxDim grid, PtxDim size, byte[] arguments,
        int dynamicSharedBytes, GlobalMemory global, Clock clock)
    {
        (_program, _options, _grid, _size, Arguments, Global) = (program, options, grid, size, arguments, global);
        (DynamicSharedBytes, _clock) = (dynamicSharedBytes, clock);
        Shared = new SharedMemory(program.DynamicSharedOffset + dynamicSharedBytes, program.SharedGaps,
            options.DetectRaces ? clock : null);
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
        _clock.BeginGroup();
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
                    throw warp.Fault(PtxFaultKind.Endless, $"does not end: {executed} instructions in the group");
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

    // Every warp is at a barrier or has ended.
    private Warp[] LeaveBarrier()
    {
        var first = _warps.First(warp => warp.State == WarpState.AtBarrier);
        foreach (var warp in _warps)
        {
            if (warp.State == WarpState.Ended)
                throw first.Fault(PtxFaultKind.DivergentBarrier,
                    $"divergent barrier: warp {warp.Index} has ended, warp {first.Index} waits");
            if (warp.Current != first.Current)
                throw first.Fault(PtxFaultKind.DivergentBarrier,
                    $"divergent barrier: warp {first.Index} waits here, warp {warp.Index} at "
                    + $"{warp.Current?.Source?.ToString() ?? $"PTX line {warp.Current?.Statement.Line}"}",
                    warp.Current?.Source);
        }
        ((GroupBarrier)first.Current!).Meet(_warps);
        _clock.Barrier();
        foreach (var warp in _warps)
            warp.LeaveBarrier();
        return _warps;
    }
}
