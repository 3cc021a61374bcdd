using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>The same quad of four neighbouring rows. Where there are fewer, the last row stands in for those that are
/// missing, so that loads need no branches.</summary>
internal struct FourRows
{
    /// <summary>The rows.</summary>
    public const int Count = 4;

    public Quad A, B, C, D;

    /// <summary>Reads a quad of each row.</summary>
    /// <param name="rows">The matrix.</param>
    /// <param name="first">The first row.</param>
    /// <param name="last">The last row that there is.</param>
    /// <param name="column">The first column, a multiple of 4.</param>
    public static FourRows Load<TStored>(in RowView rows, int first, int last, int column)
        where TStored : struct, IStoredElement => new()
        {
            A = rows.Load<TStored>(first, column),
            B = rows.Load<TStored>(IntrinsicMath.Min(first + 1, last), column),
            C = rows.Load<TStored>(IntrinsicMath.Min(first + 2, last), column),
            D = rows.Load<TStored>(IntrinsicMath.Min(first + 3, last), column),
        };

    /// <summary>A number of each row.</summary>
    public static Quad Of(ArrayView<float> numbers, int first, int last) => new()
    {
        X = numbers[first],
        Y = numbers[IntrinsicMath.Min(first + 1, last)],
        Z = numbers[IntrinsicMath.Min(first + 2, last)],
        W = numbers[IntrinsicMath.Min(first + 3, last)],
    };
}
