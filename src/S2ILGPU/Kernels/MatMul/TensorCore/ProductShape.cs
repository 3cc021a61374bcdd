using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary>What <see cref="MatrixProduct"/> is compiled for, apart from the tiles of its operands.</summary>
internal interface IProductShape
{
    /// <summary>Rows of C of a group.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of C of a group.</summary>
    static abstract int Columns { get; }

    /// <summary>Rows of C of a warp.</summary>
    static abstract int WarpRows { get; }

    /// <summary>Columns of C of a warp.</summary>
    static abstract int WarpColumns { get; }

    /// <summary>Stages of the pipeline: 2, 3 or 4.</summary>
    static abstract int Stages { get; }

    /// <summary>Whether A is stored [K, M].</summary>
    static abstract bool TransposeA { get; }

    /// <summary>Whether B is stored [N, K].</summary>
    static abstract bool TransposeB { get; }
}

/// <summary>Whether an operand is stored transposed, as a type.</summary>
internal interface IOrder
{
    /// <summary>Whether it is.</summary>
    static abstract bool IsTransposed { get; }
}

/// <summary>As the formula has it.</summary>
internal readonly struct Plain : IOrder
{
    /// <inheritdoc/>
    public static bool IsTransposed => false;
}

/// <summary>Rows and columns exchanged.</summary>
internal readonly struct Transposed : IOrder
{
    /// <inheritdoc/>
    public static bool IsTransposed => true;
}

/// <summary>A shape made of numbers: rows and columns of a group, of a warp, stages, order of A and of B.</summary>
internal readonly struct ProductShape<TRows, TColumns, TWarpRows, TWarpColumns, TStages, TOrderA, TOrderB>
    : IProductShape where TRows : struct, INumber where TColumns : struct, INumber where TWarpRows : struct, INumber
    where TWarpColumns : struct, INumber where TStages : struct, INumber
    where TOrderA : struct, IOrder where TOrderB : struct, IOrder
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int Rows { [MethodImpl(Inline)] get => TRows.Value; }

    /// <inheritdoc/>
    public static int Columns { [MethodImpl(Inline)] get => TColumns.Value; }

    /// <inheritdoc/>
    public static int WarpRows { [MethodImpl(Inline)] get => TWarpRows.Value; }

    /// <inheritdoc/>
    public static int WarpColumns { [MethodImpl(Inline)] get => TWarpColumns.Value; }

    /// <inheritdoc/>
    public static int Stages { [MethodImpl(Inline)] get => TStages.Value; }

    /// <inheritdoc/>
    public static bool TransposeA { [MethodImpl(Inline)] get => TOrderA.IsTransposed; }

    /// <inheritdoc/>
    public static bool TransposeB { [MethodImpl(Inline)] get => TOrderB.IsTransposed; }
}

/// <summary>Columns of C of a warp, as a number.</summary>
internal readonly struct WarpColumns<TShape> : INumber where TShape : struct, IProductShape
{
    /// <inheritdoc/>
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TShape.WarpColumns;
    }
}

/// <summary>Columns of C of a group, as a number.</summary>
internal readonly struct GroupColumns<TShape> : INumber where TShape : struct, IProductShape
{
    /// <inheritdoc/>
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TShape.Columns;
    }
}
