using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.MatMul;

/// <summary><c>C (+)= op(A) op(B)</c>, packed and blocked for the caches, for any sizes and any number of
/// threads.</summary>
/// <remarks>
/// <para>For every block of columns and of steps: all workers pack B into panels two registers wide (together at most 4
/// MB, in the last-level cache), then each takes chunks of rows (of A as much as <see cref="Blocking"/> gives the
/// second-level cache) and multiplies them with every panel. Rows of A are read where they lie, which is 1.02 times
/// faster over a training step than packing them, but for the last ones that fill no tile; a transposed A is
/// packed.</para>
/// <para>With few rows every worker takes panels of B, packs and multiplies them; B never leaves its second-level
/// cache.</para>
/// <para>An element of C is a sum over steps in order, cut at fixed steps, whatever tile, chunk or worker it falls to:
/// same bits for any number of threads.</para>
/// </remarks>
internal sealed unsafe class PackedProduct<T>(WorkerPool pool, CpuAllocator memory, Blocking blocking)
    : IMatrixProduct, IParallelWork
    where T : unmanaged, ISimd<T>
{
    private const int MaxSteps = Blocking.MaxSteps, MaxColumns = 2048, MaxPrivatePanels = 4, StepsPerPacking = 32;

    // Less work than this is not worth waking the workers.
    private const long AloneMultiplyAdds = 1 << 18;

    private PanelSource _a, _b;
    private Rows _c;
    private float* _packedA, _packedB;
    private int _firstColumn, _columns, _steps, _chunkRows, _rowChunks, _chunkPanels;
    private long _firstStep;
    private bool _fewRows, _packing, _accumulate;

    // Width of a panel of B, and rows of a tile of A.
    private static int Width => RegisterKernels<T>.PairWidth;

    private static int Height => RegisterKernels<T>.PackedHeight;

    /// <summary>Multiplies; <paramref name="steps"/> is at least 1.</summary>
    public void Multiply(in PanelSource a, in PanelSource b, in Rows c, int steps, bool accumulate)
    {
        (_a, _b, _c, _accumulate) = (a, b, c, accumulate);
        int stepBlocks = (steps + MaxSteps - 1) / MaxSteps, blockSteps = (steps + stepBlocks - 1) / stepBlocks;
        SetChunks();
        using var packedA = memory.Borrow((_fewRows ? 1 : pool.Workers) * PackedRowElements(blockSteps)
            * sizeof(float));
        int panels = _fewRows ? pool.Workers * MaxPrivatePanels : Panels(Math.Min(MaxColumns, c.Columns));
        using var packedB = memory.Borrow(panels * PanelStride(Width, blockSteps) * sizeof(float));
        _packedA = packedA.Floats;
        _packedB = packedB.Floats;
        for (_firstColumn = 0; _firstColumn < c.Columns; _firstColumn += MaxColumns)
            for (_firstStep = 0; _firstStep < steps; _firstStep += blockSteps)
            {
                _columns = Math.Min(MaxColumns, c.Columns - _firstColumn);
                _steps = (int)Math.Min(blockSteps, steps - _firstStep);
                MultiplyBlock();
            }
    }

    void IParallelWork.Execute(int item, int worker)
    {
        if (_packing && _fewRows)
            PackRows(new Stretch(item * Height, Math.Min(Height, (int)_c.Count - item * Height)),
                _packedA + item * PanelStride(Height, _steps));
        else if (_packing)
            PackColumns(item);
        else if (_fewRows)
            MultiplyFewRows(item, worker);
        else
            MultiplyRowChunk(item % _rowChunks, item / _rowChunks, worker);
    }

    // Chunks of equal size, as many for each worker.
    private void SetChunks()
    {
        long tiles = (_c.Count + Height - 1) / Height, tilesPerRound = (long)pool.Workers * blocking.RowTiles,
            rounds = (tiles + tilesPerRound - 1) / tilesPerRound;
        _fewRows = tiles <= blocking.RowTiles;
        int chunkTiles = (int)(_fewRows ? tiles : (tiles + pool.Workers * rounds - 1) / (pool.Workers * rounds));
        _chunkRows = chunkTiles * Height;
        _rowChunks = (int)((tiles + chunkTiles - 1) / chunkTiles);
    }

    private void MultiplyBlock()
    {
        int panels = Panels(_columns);
        long work = _c.Count * _columns * _steps;
        // Some more pieces than workers where they are cheap; as many columns as possible where each piece packs its
        // rows again.
        _chunkPanels = _fewRows
            ? Math.Clamp(panels / (pool.Workers * 4), 1, MaxPrivatePanels)
            : Math.Max(1, panels / ((pool.Workers + _rowChunks - 1) / _rowChunks));
        if (_fewRows && !_a.LanesAdjacent)
            PackRows(new Stretch(0, (int)_c.Count), _packedA); // at most a tile
        else
        {
            _packing = true;
            Run(_fewRows ? _chunkRows / Height : _b.LanesAdjacent ? (_steps + StepsPerPacking - 1) / StepsPerPacking
                : panels, work);
            _packing = false;
        }
        Run(_rowChunks * ((panels + _chunkPanels - 1) / _chunkPanels), work);
    }

    private void Run(int items, long work)
    {
        if (work > AloneMultiplyAdds)
            pool.Run(items, this);
        else
            for (int item = 0; item < items; item++)
                ((IParallelWork)this).Execute(item, 0);
    }

    private void PackRows(Stretch rows, float* packed)
    {
        int inPlace = RowsInPlace(rows.Count);
        _a.Pack<T>(new Stretch(rows.First + inPlace, rows.Count - inPlace), new Stretch(_firstStep, _steps), packed,
            Height, PanelStride(Height, _steps));
    }

    // All columns of some steps where those are rows of B, one panel otherwise: what lies together is read together.
    private void PackColumns(int item)
    {
        if (_b.LanesAdjacent)
            PackColumns(new Stretch(0, _columns),
                new Stretch(item * StepsPerPacking,
                Math.Min(StepsPerPacking, _steps - item * StepsPerPacking)), _packedB);
        else
        {
            float* panel = _packedB + item * PanelStride(Width, _steps);
            PackColumns(new Stretch(item * Width, Math.Min(Width, _columns - item * Width)),
                new Stretch(0, _steps), panel);
        }
    }

    // Columns and steps count from the beginning of the block.
    private void PackColumns(Stretch columns, Stretch steps, float* panels) =>
        _b.Pack<T>(new Stretch(_firstColumn + columns.First, columns.Count),
        new Stretch(_firstStep + steps.First, steps.Count),
            panels + (nint)steps.First * Width, Width, PanelStride(Width, _steps));

    private void MultiplyRowChunk(int rowChunk, int columnChunk, int worker)
    {
        long firstRow = (long)rowChunk * _chunkRows;
        int firstPanel = columnChunk * _chunkPanels;
        var rows = new Stretch(firstRow, (int)Math.Min(_chunkRows, _c.Count - firstRow));
        float* packed = _packedA + worker * PackedRowElements(_steps);
        PackRows(rows, packed);
        MultiplyPanels(packed, rows, _packedB + firstPanel * PanelStride(Width, _steps), firstPanel);
    }

    private void MultiplyFewRows(int columnChunk, int worker)
    {
        int firstPanel = columnChunk * _chunkPanels, firstColumn = firstPanel * Width;
        float* panels = _packedB + worker * MaxPrivatePanels * PanelStride(Width, _steps);
        PackColumns(new Stretch(firstColumn, Math.Min(_chunkPanels * Width, _columns - firstColumn)),
            new Stretch(0, _steps), panels);
        MultiplyPanels(_packedA, new Stretch(0, (int)_c.Count), panels, firstPanel);
    }

    // Rows, those packed that are not read in place, with a chunk of packed panels.
    private void MultiplyPanels(float* packedRows, Stretch rows, float* packedPanels, int firstPanel)
    {
        var p = new Product { RowStride = _a.Stride, B = packedPanels, BStride = Width, CStride = _c.Stride,
            Steps = _steps };
        int inPlace = RowsInPlace(rows.Count);
        float* source = (float*)_a.Data + rows.First * _a.Stride + _firstStep;
        int endPanel = Math.Min(Panels(_columns), firstPanel + _chunkPanels);
        for (int panel = firstPanel; panel < endPanel; panel++, p.B += PanelStride(Width, _steps))
            for (int row = 0; row < rows.Count; row += Height)
            {
                p.A = row < inPlace ? source + row * _a.Stride
                    : packedRows + (row - inPlace) / Height * PanelStride(Height, _steps);
                p.C = _c[rows.First + row] + _firstColumn + panel * Width;
                MultiplyTile(p, row < inPlace, Math.Min(Height, rows.Count - row),
                    Math.Min(Width, _columns - panel * Width));
            }
    }

    // What sticks out of C is computed in a tile on the stack.
    private void MultiplyTile(in Product p, bool isInPlace, int rows, int columns)
    {
        bool add = _accumulate || _firstStep > 0;
        if (rows == Height && columns == Width)
        {
            if (add)
                MultiplyRows<AccumulateLate<T>>(p, isInPlace, rows);
            else
                MultiplyRows<Overwrite<T>>(p, isInPlace, rows);
            return;
        }
        float* tile = stackalloc float[Height * Width];
        var inside = p with { C = tile, CStride = Width };
        MultiplyRows<Overwrite<T>>(inside, isInPlace, rows);
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
            {
                float sum = tile[row * Width + column];
                float* c = p.C + row * p.CStride + column;
                *c = add ? *c + sum : sum;
            }
    }

    private static void MultiplyRows<TTile>(in Product p, bool isInPlace, int rows) where TTile : struct, ITile<T>
    {
        if (isInPlace)
            MultiplyWholeTile<AnyStride, UnitStride, TTile>(p);
        else if (rows <= 4)
            RegisterKernels<T>.Tile4x2<UnitStride, PackedStep<T>, TTile>(p, 0, 0, default);
        else if (T.HasManyRegisters && rows <= 8)
            RegisterKernels<T>.Tile8x2<UnitStride, PackedStep<T>, TTile>(p, 0, 0, default);
        else
            MultiplyWholeTile<UnitStride, PackedStep<T>, TTile>(p);
    }

    private static void MultiplyWholeTile<TRow, TStep, TTile>(in Product p)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        if (T.HasManyRegisters)
            RegisterKernels<T>.Tile12x2<TRow, TStep, TTile>(p, 0, 0, default);
        else
            RegisterKernels<T>.Tile6x2<TRow, TStep, TTile>(p, 0, 0, default);
    }

    // Of a stretch of rows: those that are read where they lie.
    private int RowsInPlace(int rows) => _a.LanesAdjacent ? 0 : rows / Height * Height;

    private static int Panels(int columns) => (columns + Width - 1) / Width;

    // A cache line apart, because panels a power of two apart would fight for the same places in the caches.
    private static nint PanelStride(int width, int steps) =>
        (nint)width * steps + CacheLines.Bytes / sizeof(float);

    private nint PackedRowElements(int steps) =>
        (_a.LanesAdjacent ? _chunkRows / Height : 1) * PanelStride(Height, steps);
}

/// <summary>Distance between steps of a packed tile of A.</summary>
internal readonly struct PackedStep<T> : IStride where T : unmanaged, ISimd<T>
{
    public static nint Of(nint operandStride) => RegisterKernels<T>.PackedHeight;
}
