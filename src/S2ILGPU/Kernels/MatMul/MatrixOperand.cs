using ILGPU;

namespace S2ILGPU.Kernels.MatMul;

/// <summary>
/// A factor of a product as lanes (the rows of A, the columns of B) times steps (along which the product sums):
/// element (lane, step) is number <c>Offset + lane Lane + step Step</c> in memory.
/// </summary>
internal struct MatrixOperand
{
    /// <summary>The memory underneath.</summary>
    public ArrayView<int> Words;

    /// <summary>The first element.</summary>
    public long Offset;

    /// <summary>Distance between lanes, in elements; 1 where neighbouring lanes are adjacent.</summary>
    public long Lane;

    /// <summary>Distance between steps, in elements; 1 where neighbouring steps are adjacent.</summary>
    public long Step;

    /// <summary>Number of lanes and of steps.</summary>
    public int Lanes, Steps;

    /// <summary>Whether every lane begins at a multiple of 4 elements (1) or not (0), where steps are
    /// adjacent.</summary>
    public int IsAligned;
}

/// <summary>A thread's 16 elements of every tile of 64 lanes and 16 steps of an operand, between global and
/// shared memory [steps, <see cref="ProductTile.Pitch"/>].</summary>
/// <remarks>Neighbouring threads read adjacent elements, whichever way the matrix lies: a thread owns a step and every
/// 4th lane, or a lane and all steps.</remarks>
internal struct TileReader<TStored> where TStored : struct, IStoredElement
{
    private const int LaneStride = ProductTile.Threads / ProductTile.Steps;

    private MatrixOperand _operand;
    private long _index, _next;
    private int _areStepsAdjacent, _lanesLeft, _step, _shared, _nextShared;

    /// <summary>The reader of the tiles from a lane on.</summary>
    public static TileReader<TStored> Of(MatrixOperand operand, int firstLane)
    {
        int areStepsAdjacent = operand.Step == 1 ? 1 : 0;
        int lane = areStepsAdjacent != 0 ? Group.IdxX / ProductTile.Steps : Group.IdxX;
        int step = areStepsAdjacent != 0 ? Group.IdxX & (ProductTile.Steps - 1) : 0;
        return new TileReader<TStored>
        {
            _operand = operand,
            _areStepsAdjacent = areStepsAdjacent,
            _index = operand.Offset + (firstLane + lane) * operand.Lane + step * operand.Step,
            _next = areStepsAdjacent != 0 ? LaneStride * operand.Lane : operand.Step,
            _lanesLeft = operand.Lanes - firstLane - lane,
            _step = step,
            _shared = step * ProductTile.Pitch + lane,
            _nextShared = areStepsAdjacent != 0 ? LaneStride : ProductTile.Pitch,
        };
    }

    /// <summary>Reads the elements of the tile from a step on; zeros beyond the matrix.</summary>
    public readonly Block4x4 Read(int firstStep)
    {
        int stepsLeft = _operand.Steps - firstStep - _step;
        int count = _areStepsAdjacent == 0 ? (_lanesLeft > 0 ? stepsLeft : 0) : stepsLeft > 0
            ? (_lanesLeft + LaneStride - 1) / LaneStride : 0;
        long index = _index + firstStep * _operand.Step;
        return new Block4x4
        {
            Row0 = Read(index, count),
            Row1 = Read(index + 4 * _next, count - 4),
            Row2 = Read(index + 8 * _next, count - 8),
            Row3 = Read(index + 12 * _next, count - 12),
        };
    }

    /// <summary>Writes the elements to shared memory.</summary>
    public readonly void Write(ArrayView<float> shared, Block4x4 elements)
    {
        Write(shared, _shared, elements.Row0);
        Write(shared, _shared + 4 * _nextShared, elements.Row1);
        Write(shared, _shared + 8 * _nextShared, elements.Row2);
        Write(shared, _shared + 12 * _nextShared, elements.Row3);
    }

    private readonly Quad Read(long index, int count)
    {
        var elements = new Quad();
        if (count > 0)
            elements.X = TStored.Load(_operand.Words, index);
        if (count > 1)
            elements.Y = TStored.Load(_operand.Words, index + _next);
        if (count > 2)
            elements.Z = TStored.Load(_operand.Words, index + 2 * _next);
        if (count > 3)
            elements.W = TStored.Load(_operand.Words, index + 3 * _next);
        return elements;
    }

    private readonly void Write(ArrayView<float> shared, int index, Quad elements)
    {
        shared[index] = elements.X;
        shared[index + _nextShared] = elements.Y;
        shared[index + 2 * _nextShared] = elements.Z;
        shared[index + 3 * _nextShared] = elements.W;
    }
}
