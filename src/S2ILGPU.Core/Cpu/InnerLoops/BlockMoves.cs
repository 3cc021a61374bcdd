using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>Small blocks of floats, copied and transposed between memory and scratch.</summary>
internal static unsafe class BlockMoves<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary><c>destination[c][r] = source[r][c] * factor</c> for any number of rows and columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint sourceStride, nint rows, nint columns, float* destination,
        nint destinationStride, float factor)
    {
        nint row = 0;
        T wide = T.Create(factor);
        for (; row + T.Count <= rows; row += T.Count)
        {
            nint column = 0;
            for (; column + T.Count <= columns; column += T.Count)
                T.Transpose(source + row * sourceStride + column, sourceStride,
                    destination + column * destinationStride + row, destinationStride, wide);
            TransposeRest(source + row * sourceStride + column, sourceStride, T.Count, columns - column,
                destination + column * destinationStride + row, destinationStride, factor);
        }
        TransposeRest(source + row * sourceStride, sourceStride, rows - row, columns, destination + row,
            destinationStride, factor);
    }

    /// <summary>Copies rows of <paramref name="columns"/> floats, a multiple of 4, and fills up with zeros to <paramref
    /// name="paddedColumns"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* source, nint sourceStride, nint rows, nint columns, float* destination,
        nint destinationStride, nint paddedColumns)
    {
        for (nint row = 0; row < rows; row++, source += sourceStride, destination += destinationStride)
        {
            nint column = 0;
            for (; column + T.Count <= columns; column += T.Count)
                T.Store(T.Load(source + column), destination + column);
            for (; column < columns; column += Simd128.Count)
                Simd128.Store(Simd128.Load(source + column), destination + column);
            for (; column < paddedColumns; column++)
                destination[column] = 0;
        }
    }

    /// <summary>Copies rows of <paramref name="columns"/> 16-bit elements as floats, and fills up with zeros to
    /// <paramref name="paddedColumns"/>, which is also the distance between rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen<TElement>(in StoredRows source, nint columns, float* destination, nint paddedColumns)
        where TElement : struct, IRowElement
    {
        byte* row = (byte*)source.Start;
        for (int n = source.Count; n > 0; n--, row += source.StrideBytes, destination += paddedColumns)
        {
            nint column = 0;
            for (; column + T.Count <= columns; column += T.Count)
                T.Store(TElement.Load<T>(row + column * TElement.SizeBytes), destination + column);
            for (; column < columns; column++)
                SimdScalar.Store(TElement.Load<SimdScalar>(row + column * TElement.SizeBytes), destination + column);
            for (; column < paddedColumns; column++)
                destination[column] = 0;
        }
    }

    /// <summary>Rounds neighbouring floats to bfloat16, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(float* source, nint count, ushort* destination)
    {
        nint at = 0;
        for (; at + T.Count <= count; at += T.Count)
            T.StoreBFloat16(T.Load(source + at), destination + at);
        for (; at < count; at++)
            SimdScalar.StoreBFloat16(SimdScalar.Load(source + at), destination + at);
    }

    /// <summary>Whether all elements of some rows are finite; the columns are a multiple of 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AreFinite(float* source, nint stride, nint rows, nint columns)
    {
        T zeros = T.Zero;
        Simd128 narrowZeros = Simd128.Zero;
        for (nint row = 0; row < rows; row++, source += stride)
        {
            nint column = 0;
            for (; column + T.Count <= columns; column += T.Count)
                zeros = T.FusedMultiplyAdd(T.Load(source + column), T.Zero, zeros);
            for (; column < columns; column += Simd128.Count)
                narrowZeros = Simd128.FusedMultiplyAdd(Simd128.Load(source + column), Simd128.Zero, narrowZeros);
        }
        return T.Sum(zeros) == 0 && Simd128.Sum(narrowZeros) == 0;
    }

    /// <summary><c>destination = source * factor</c>, row by row; the columns are a multiple of 4.</summary>
    /// <returns>Whether all results are finite.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Scale(float* source, nint sourceStride, nint rows, nint columns, float* destination,
        nint destinationStride, float factor)
    {
        T wide = T.Create(factor), zeros = T.Zero;
        Simd128 narrowZeros = Simd128.Zero;
        for (nint row = 0; row < rows; row++, source += sourceStride, destination += destinationStride)
        {
            nint column = 0;
            for (; column + T.Count <= columns; column += T.Count)
            {
                T value = T.Load(source + column) * wide;
                zeros = T.FusedMultiplyAdd(value, T.Zero, zeros);
                T.Store(value, destination + column);
            }
            for (; column < columns; column += Simd128.Count)
            {
                Simd128 value = Simd128.Load(source + column) * Simd128.Create(factor);
                narrowZeros = Simd128.FusedMultiplyAdd(value, Simd128.Zero, narrowZeros);
                Simd128.Store(value, destination + column);
            }
        }
        return T.Sum(zeros) + Simd128.Sum(narrowZeros) == 0;
    }

    private static void TransposeRest(float* source, nint sourceStride, nint rows, nint columns, float* destination,
        nint destinationStride, float factor)
    {
        nint row = 0;
        for (; row + Simd128.Count <= rows; row += Simd128.Count)
        {
            nint column = 0;
            for (; column + Simd128.Count <= columns; column += Simd128.Count)
                Simd128.Transpose(source + row * sourceStride + column, sourceStride,
                    destination + column * destinationStride + row,
                    destinationStride, Simd128.Create(factor));
            for (; column < columns; column++)
                for (nint r = row; r < row + Simd128.Count; r++)
                    destination[column * destinationStride + r] = source[r * sourceStride + column] * factor;
        }
        for (; row < rows; row++)
            for (nint column = 0; column < columns; column++)
                destination[column * destinationStride + row] = source[row * sourceStride + column] * factor;
    }
}
