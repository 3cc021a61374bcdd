using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>A copy between two views of one shape; indices count elements in row-major order.</summary>
internal unsafe struct CopyKernel : IRangeKernel
{
    public const int Grain = 16 * 1024;

    private readonly byte* _from, _to;
    private readonly ElementType _fromType, _toType;
    private Dimensions _extents, _fromStrides, _toStrides;

    /// <summary>Prepares a copy; dimensions that lie densely in both views become one.</summary>
    /// <exception cref="ArgumentException">There is no conversion between the element types.</exception>
    public CopyKernel(in StridedView from, in StridedView to)
    {
        _from = from.Data;
        _to = to.Data;
        (_fromType, _toType) = (from.ElementType, to.ElementType);
        if (!CanConvert(_fromType, _toType))
            throw new ArgumentException($"cannot copy {_fromType} to {_toType}");
        for (int d = 0; d < Shape.MaxRank; d++)
            _extents[d] = 1;
        int last = Shape.MaxRank - 1, at = last;
        for (int d = from.Shape.Rank - 1; d >= 0; d--)
        {
            int extent = from.Shape[d], fromStride = from.Strides[d], toStride = to.Strides[d];
            if (extent == 1)
                continue;
            if (_extents[at] == 1)
                (_extents[at], _fromStrides[at], _toStrides[at]) = (extent, fromStride, toStride);
            else if (fromStride == _fromStrides[at] * _extents[at] && toStride == _toStrides[at] * _extents[at])
                _extents[at] *= extent;
            else
            {
                at--;
                (_extents[at], _fromStrides[at], _toStrides[at]) = (extent, fromStride, toStride);
            }
        }
    }

    public readonly void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        long inner = _extents[3];
        while (start < end)
        {
            long row = start / inner, column = start - row * inner, count = Math.Min(inner - column, end - start);
            long i2 = row % _extents[2], i1 = row / _extents[2] % _extents[1], i0 = row / _extents[2] / _extents[1];
            long from = i0 * _fromStrides[0] + i1 * _fromStrides[1] + i2 * _fromStrides[2] + column * _fromStrides[3];
            long to = i0 * _toStrides[0] + i1 * _toStrides[1] + i2 * _toStrides[2] + column * _toStrides[3];
            CopyRun(_from + from * _fromType.SizeBytes(), _fromType, (nint)_fromStrides[3],
                _to + to * _toType.SizeBytes(), _toType, (nint)_toStrides[3], count);
            start += count;
        }
    }

    /// <summary>This copy as transposes of matrices, where neighbours in the source are rows of the
    /// destination.</summary>
    public readonly bool TryTranspose(out TransposeKernel transpose)
    {
        transpose = new TransposeKernel
        {
            From = (float*)_from,
            To = (float*)_to,
            Planes = _extents[1],
            Rows = (int)_extents[2],
            Columns = (int)_extents[3],
            FromOuter = (nint)_fromStrides[0],
            FromPlane = (nint)_fromStrides[1],
            FromStride = (nint)_fromStrides[3],
            ToOuter = (nint)_toStrides[0],
            ToPlane = (nint)_toStrides[1],
            ToStride = (nint)_toStrides[2],
            Count = _extents[0] * _extents[1]
                * ((_extents[2] + TransposeKernel.RowsAtOnce - 1) / TransposeKernel.RowsAtOnce),
        };
        return _fromType == ElementType.Float32 && _toType == ElementType.Float32 && _fromStrides[2] == 1
            && _toStrides[3] == 1
            && Math.Min(_extents[2], _extents[3]) >= Simd128.Count;
    }

    /// <summary>Copies a run of elements; strides in elements.</summary>
    public static void CopyRun(byte* from, ElementType fromType, nint fromStride, byte* to, ElementType toType,
        nint toStride, long count)
    {
        if (fromType == toType)
            CopyBits(from, fromStride, to, toStride, count, fromType.SizeBytes());
        else if (toType == ElementType.Float32)
            ConvertFrom<StoredSingle>(from, fromType, fromStride, (StoredSingle*)to, toStride, count);
        else if (toType == ElementType.Float16)
            ConvertFrom<StoredHalf>(from, fromType, fromStride, (StoredHalf*)to, toStride, count);
        else
            ConvertFrom<StoredBFloat16>(from, fromType, fromStride, (StoredBFloat16*)to, toStride, count);
    }

    private static bool CanConvert(ElementType from, ElementType to) =>
        from == to || (IsShortFloat(from) && IsShortFloat(to));

    private static bool IsShortFloat(ElementType type) =>
        type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16;

    private static void CopyBits(byte* from, nint fromStride, byte* to, nint toStride, long count, int sizeBytes)
    {
        if (fromStride == 1 && toStride == 1)
            Buffer.MemoryCopy(from, to, count * sizeBytes, count * sizeBytes);
        else if (sizeBytes == 1)
            CopyStrided(from, fromStride, to, toStride, count);
        else if (sizeBytes == 2)
            CopyStrided((ushort*)from, fromStride, (ushort*)to, toStride, count);
        else if (sizeBytes == 4)
            CopyStrided((uint*)from, fromStride, (uint*)to, toStride, count);
        else
            CopyStrided((ulong*)from, fromStride, (ulong*)to, toStride, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyStrided<TBits>(TBits* from, nint fromStride, TBits* to, nint toStride, long count)
        where TBits : unmanaged
    {
        for (; count > 0; count--, from += fromStride, to += toStride)
            *to = *from;
    }

    private static void ConvertFrom<TTo>(byte* from, ElementType fromType, nint fromStride, TTo* to, nint toStride,
        long count)
        where TTo : unmanaged, IStoredFloat<TTo>
    {
        if (fromType == ElementType.Float32)
            Convert((StoredSingle*)from, fromStride, to, toStride, count);
        else if (fromType == ElementType.Float16)
            Convert((StoredHalf*)from, fromStride, to, toStride, count);
        else
            Convert((StoredBFloat16*)from, fromStride, to, toStride, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert<TFrom, TTo>(TFrom* from, nint fromStride, TTo* to, nint toStride, long count)
        where TFrom : unmanaged, IStoredFloat<TFrom> where TTo : unmanaged, IStoredFloat<TTo>
    {
        for (; count > 0; count--, from += fromStride, to += toStride)
            *to = TTo.Round(TFrom.Widen(*from));
    }

    [InlineArray(Shape.MaxRank)]
    private struct Dimensions
    {
        private long _first;
    }
}
