using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary>Brings panels of A and B, 64 steps of K each, into shared memory for <see cref="MatrixProduct"/>.</summary>
/// <remarks>A ring of stages, each with a tile of A and one of B. While a panel is multiplied, the copies of the next
/// Stages - 1 are under way.</remarks>
internal struct PanelPipeline<TShape, TTileA, TTileB> where TShape : struct, IProductShape
    where TTileA : struct, ITileShape where TTileB : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private MatrixCopy<TTileA> _copyA;
    private MatrixCopy<TTileB> _copyB;
    private Panel<TTileA, TTileB> _first;

    /// <summary>Bytes of a stage.</summary>
    public static int StageBytes { [MethodImpl(Inline)] get =>
        TileLayout<TTileA>.TileBytes + TileLayout<TTileB>.TileBytes; }

    /// <summary>Dynamic shared memory in bytes.</summary>
    public static int SharedBytes { [MethodImpl(Inline)] get => TShape.Stages * StageBytes; }

    /// <summary>The pipeline as the calling thread sees it.</summary>
    /// <param name="a">The kernel's argument.</param>
    /// <param name="memory">The group's shared memory.</param>
    /// <param name="address">Where <see cref="SharedBytes"/> of it begin.</param>
    /// <param name="firstRow">First row of C of the group.</param>
    /// <param name="firstColumn">First column of C of the group.</param>
    [MethodImpl(Inline)]
    public static PanelPipeline<TShape, TTileA, TTileB> At(in MatrixProductArguments a, ArrayView<U4> memory,
        uint address, int firstRow, int firstColumn)
    {
        int warp = Group.IdxX >> 5, across = TShape.Columns / TShape.WarpColumns,
            row = warp / across * TShape.WarpRows, column = warp % across * TShape.WarpColumns;
        uint behindA = address + (uint)TileLayout<TTileA>.TileBytes;
        PanelPipeline<TShape, TTileA, TTileB> p = default;
        p._copyA = MatrixCopy<TTileA>.At(memory, address, a.A, firstRow, TShape.TransposeA);
        p._copyB = MatrixCopy<TTileB>.At(memory, behindA, a.B, firstColumn, !TShape.TransposeB);
        p._first.A = SharedTile<TTileA>.AtLane(memory, address, row, TShape.TransposeA);
        p._first.B = SharedTile<TTileB>.AtLane(memory, behindA, column, !TShape.TransposeB);
        return p;
    }

    /// <summary>Starts the copies of the first Stages - 1 panels.</summary>
    /// <param name="panel">Number of the first one.</param>
    /// <param name="stepsLeft">Steps from there to the end.</param>
    [MethodImpl(Inline)]
    public readonly void Start(int panel, int stepsLeft)
    {
        for (int s = 0; s < TShape.Stages - 1; s++)
            LoadOrZero(panel + s, (uint)(s * StageBytes), stepsLeft - s * MatrixCopy<TTileA>.Steps);
    }

    /// <summary>Starts the copies of the panel that takes the place of the one before panel + s, where the panel lies
    /// in the first stage; all of its steps exist.</summary>
    [MethodImpl(Inline)]
    public readonly void Load(int panel, int s)
    {
        int next = s + TShape.Stages - 1, offset = next % TShape.Stages * StageBytes;
        _copyA.Load(panel, next, offset, TShape.TransposeA);
        _copyB.Load(panel, next, offset, !TShape.TransposeB);
        Intrinsics.CopyCommit();
    }

    /// <summary>Starts the copies of a panel.</summary>
    /// <param name="panel">Its number.</param>
    /// <param name="stage">Its stage, in bytes from the first one.</param>
    /// <param name="stepsLeft">Steps from the panel's first one to the end; 0 or less where there is no such
    /// panel.</param>
    [MethodImpl(Inline)]
    public readonly void LoadOrZero(int panel, uint stage, int stepsLeft)
    {
        _copyA.LoadOrZero(panel, stage, TShape.TransposeA, stepsLeft);
        _copyB.LoadOrZero(panel, stage, !TShape.TransposeB, stepsLeft);
        Intrinsics.CopyCommit();
    }

    /// <summary>Waits for the thread's copies of the oldest panel. A barrier must follow.</summary>
    [MethodImpl(Inline)]
    public static void Wait()
    {
        if (TShape.Stages == 4)
            Intrinsics.CopyWait2();
        else if (TShape.Stages == 3)
            Intrinsics.CopyWait1();
        else
            Intrinsics.CopyWait0();
    }

    /// <summary>The stage after a stage, in bytes.</summary>
    [MethodImpl(Inline)]
    public static uint After(uint stage) => stage == LastStage ? 0u : stage + (uint)StageBytes;

    /// <summary>The stage before a stage, in bytes.</summary>
    [MethodImpl(Inline)]
    public static uint Before(uint stage) => stage == 0u ? LastStage : stage - (uint)StageBytes;

    /// <summary>The panel in stage <paramref name="s"/>, a constant.</summary>
    [MethodImpl(Inline)]
    public readonly Panel<TTileA, TTileB> Panel(int s)
    {
        Panel<TTileA, TTileB> panel = default;
        panel.A = _first.A.Behind(s * StageBytes);
        panel.B = _first.B.Behind(s * StageBytes);
        return panel;
    }

    /// <summary>The panel in a stage, given in bytes.</summary>
    [MethodImpl(Inline)]
    public readonly Panel<TTileA, TTileB> PanelIn(uint stage)
    {
        Panel<TTileA, TTileB> panel = default;
        panel.A = _first.A.Moved(stage);
        panel.B = _first.B.Moved(stage);
        return panel;
    }

    private static uint LastStage { [MethodImpl(Inline)] get => (uint)((TShape.Stages - 1) * StageBytes); }
}

/// <summary>The operands of 64 steps of a product in shared memory, from the first row and the first column of the
/// calling warp on.</summary>
internal struct Panel<TTileA, TTileB> where TTileA : struct, ITileShape where TTileB : struct, ITileShape
{
    /// <summary>A, as it lies in memory.</summary>
    public SharedTile<TTileA> A;

    /// <summary>B, as it lies in memory.</summary>
    public SharedTile<TTileB> B;
}
