using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>Rows of keys or values where they are stored.</summary>
/// <param name="Start">Address of the first row.</param>
/// <param name="StrideBytes">Distance between rows.</param>
/// <param name="Count">Number of rows.</param>
internal readonly record struct StoredRows(nint Start, nint StrideBytes, int Count);

/// <summary>
/// The two products of decoding, for a few queries and one run of keys. Lanes are elements of a row; every row of K and
/// V is loaded once for up to four queries. While the rows are read, the same number of rows that come next
/// (<c>ahead</c>) is prefetched, row by row.
/// </summary>
/// <remarks>
/// Measured on one core at 32k, L16 s8: prefetching row by row gains 1.0-1.4x (1 row per KV head) and 1.3-2.0x (4 rows)
/// with float32 and 2.1-2.9x with bfloat16; into the second-level cache only it is 8-17 % slower with float32. With
/// four queries at a time, against two queries and whole blocks prefetched in one go: 1.0-1.1x (1 row), 1.5-1.6x (4
/// rows), 1.7-2.0x (8 rows).
/// </remarks>
internal static unsafe class DecodeKernels<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary><c>S[row][j] = q_row k_j</c></summary>
    /// <param name="query">[rows, D].</param>
    /// <param name="rows">Number of queries.</param>
    /// <param name="headDim">D, whole registers.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="scores">S[0][0]; rows are <paramref name="scoreStride"/> floats apart.</param>
    /// <param name="scoreStride">Floats from one row of S to the next.</param>
    /// <param name="ahead">What to prefetch.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dots<TElement>(float* query, int rows, int headDim, in StoredRows keys, float* scores,
        int scoreStride, in StoredRows ahead)
        where TElement : struct, IRowElement
    {
        nint stride = keys.StrideBytes, aheadStride = ahead.StrideBytes;
        byte* key = (byte*)keys.Start, next = (byte*)ahead.Start;
        int j = 0, aheadRows = ahead.Count;
        for (; j + 4 <= keys.Count; j += 4, key += 4 * stride)
        {
            for (int n = 0; n < 4 && j + n < aheadRows; n++, next += aheadStride)
                CacheLines.Prefetch(next, headDim * TElement.SizeBytes, level: 1);
            int row = 0;
            for (; T.HasManyRegisters && row + 4 <= rows; row += 4)
                FourByFour<TElement>(query + row * headDim, key, stride, headDim, scores + row * scoreStride + j,
                    scoreStride);
            for (; row + 2 <= rows; row += 2)
                TwoByFour<TElement>(query + row * headDim, key, stride, headDim, scores + row * scoreStride + j,
                    scoreStride);
            if (row < rows)
                OneByFour<TElement>(query + row * headDim, key, stride, headDim, scores + row * scoreStride + j);
        }
        for (; j < keys.Count; j++, key += stride)
            for (int row = 0; row < rows; row++)
            {
                T sum = T.Zero;
                byte* k = key;
                for (int d = 0; d < headDim; d += T.Count, k += T.Count * TElement.SizeBytes)
                    sum = T.FusedMultiplyAdd(T.Load(query + row * headDim + d), TElement.Load<T>(k), sum);
                scores[row * scoreStride + j] = T.Sum(sum);
            }
    }

    /// <summary><c>O[row] += sum_j P[row][j] v_j</c></summary>
    /// <param name="weights">P[0][0]; rows are <paramref name="weightStride"/> floats apart.</param>
    /// <param name="weightStride">Floats from one row of P to the next.</param>
    /// <param name="rows">Number of queries.</param>
    /// <param name="headDim">D, whole registers.</param>
    /// <param name="values">The values.</param>
    /// <param name="output">[rows, D].</param>
    /// <param name="ahead">What to prefetch.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddWeighted<TElement>(float* weights, int weightStride, int rows, int headDim,
        in StoredRows values, float* output,
        in StoredRows ahead)
        where TElement : struct, IRowElement
    {
        int d = 0, wide = 4 * T.Count, rowBytes = headDim * TElement.SizeBytes;
        var next = ahead;
        for (; d + wide <= headDim; d += wide)
        {
            var part = values with { Start = values.Start + d * TElement.SizeBytes };
            int row = 0;
            for (; T.HasManyRegisters && row + 4 <= rows; row += 4, next = default)
                FourWide<TElement>(weights + row * weightStride, weightStride, part, output + row * headDim + d,
                    headDim, next, rowBytes);
            for (; row < rows; row++, next = default)
                OneWide<TElement>(weights + row * weightStride, part, output + row * headDim + d, next, rowBytes);
        }
        for (; d < headDim; d += T.Count)
            for (int row = 0; row < rows; row++)
            {
                T sum = T.Load(output + row * headDim + d);
                byte* v = (byte*)values.Start + d * TElement.SizeBytes;
                for (int j = 0; j < values.Count; j++, v += values.StrideBytes)
                    sum = T.FusedMultiplyAdd(T.Create(weights[row * weightStride + j]), TElement.Load<T>(v), sum);
                T.Store(sum, output + row * headDim + d);
            }
    }

    /// <summary><c>S[row][j] *= scale_j</c>: the scales of keys in their scores, or of values in their
    /// weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScaleColumns(float* scores, int stride, int rows, float* scales, int count)
    {
        for (int row = 0; row < rows; row++, scores += stride)
        {
            int j = 0;
            for (; j + T.Count <= count; j += T.Count)
                T.Store(T.Load(scores + j) * T.Load(scales + j), scores + j);
            for (; j < count; j++)
                scores[j] *= scales[j];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OneByFour<TElement>(float* query, byte* key, nint stride, int headDim, float* scores)
        where TElement : struct, IRowElement
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        byte* k2 = key + 2 * stride;
        for (int d = 0; d < headDim; d += T.Count, key += T.Count * TElement.SizeBytes,
            k2 += T.Count * TElement.SizeBytes)
        {
            T q = T.Load(query + d);
            s0 = T.FusedMultiplyAdd(q, TElement.Load<T>(key), s0);
            s1 = T.FusedMultiplyAdd(q, TElement.Load<T>(key + stride), s1);
            s2 = T.FusedMultiplyAdd(q, TElement.Load<T>(k2), s2);
            s3 = T.FusedMultiplyAdd(q, TElement.Load<T>(k2 + stride), s3);
        }
        T.StoreSums(s0, s1, s2, s3, scores);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TwoByFour<TElement>(float* query, byte* key, nint stride, int headDim, float* scores,
        int scoreStride)
        where TElement : struct, IRowElement
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, t0 = T.Zero, t1 = T.Zero, t2 = T.Zero, t3 = T.Zero;
        byte* k2 = key + 2 * stride;
        for (int d = 0; d < headDim; d += T.Count, key += T.Count * TElement.SizeBytes,
            k2 += T.Count * TElement.SizeBytes)
        {
            T q = T.Load(query + d), r = T.Load(query + headDim + d), k = TElement.Load<T>(key);
            (s0, t0) = (T.FusedMultiplyAdd(q, k, s0), T.FusedMultiplyAdd(r, k, t0));
            k = TElement.Load<T>(key + stride);
            (s1, t1) = (T.FusedMultiplyAdd(q, k, s1), T.FusedMultiplyAdd(r, k, t1));
            k = TElement.Load<T>(k2);
            (s2, t2) = (T.FusedMultiplyAdd(q, k, s2), T.FusedMultiplyAdd(r, k, t2));
            k = TElement.Load<T>(k2 + stride);
            (s3, t3) = (T.FusedMultiplyAdd(q, k, s3), T.FusedMultiplyAdd(r, k, t3));
        }
        T.StoreSums(s0, s1, s2, s3, scores);
        T.StoreSums(t0, t1, t2, t3, scores + scoreStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FourByFour<TElement>(float* query, byte* key, nint stride, int headDim, float* scores,
        int scoreStride)
        where TElement : struct, IRowElement
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, t0 = T.Zero, t1 = T.Zero, t2 = T.Zero, t3 = T.Zero;
        T u0 = T.Zero, u1 = T.Zero, u2 = T.Zero, u3 = T.Zero, w0 = T.Zero, w1 = T.Zero, w2 = T.Zero, w3 = T.Zero;
        byte* k2 = key + 2 * stride;
        float* query2 = query + 2 * headDim;
        for (int d = 0; d < headDim; d += T.Count, key += T.Count * TElement.SizeBytes,
            k2 += T.Count * TElement.SizeBytes)
        {
            T k0 = TElement.Load<T>(key), k1 = TElement.Load<T>(key + stride), k3 = TElement.Load<T>(k2),
                k4 = TElement.Load<T>(k2 + stride);
            T q = T.Load(query + d);
            s0 = T.FusedMultiplyAdd(q, k0, s0); s1 = T.FusedMultiplyAdd(q, k1, s1); s2 = T.FusedMultiplyAdd(q, k3, s2);
                s3 = T.FusedMultiplyAdd(q, k4, s3);
            q = T.Load(query + headDim + d);
            t0 = T.FusedMultiplyAdd(q, k0, t0); t1 = T.FusedMultiplyAdd(q, k1, t1); t2 = T.FusedMultiplyAdd(q, k3, t2);
                t3 = T.FusedMultiplyAdd(q, k4, t3);
            q = T.Load(query2 + d);
            u0 = T.FusedMultiplyAdd(q, k0, u0); u1 = T.FusedMultiplyAdd(q, k1, u1); u2 = T.FusedMultiplyAdd(q, k3, u2);
                u3 = T.FusedMultiplyAdd(q, k4, u3);
            q = T.Load(query2 + headDim + d);
            w0 = T.FusedMultiplyAdd(q, k0, w0); w1 = T.FusedMultiplyAdd(q, k1, w1); w2 = T.FusedMultiplyAdd(q, k3, w2);
                w3 = T.FusedMultiplyAdd(q, k4, w3);
        }
        T.StoreSums(s0, s1, s2, s3, scores);
        T.StoreSums(t0, t1, t2, t3, scores + scoreStride);
        T.StoreSums(u0, u1, u2, u3, scores + 2 * scoreStride);
        T.StoreSums(w0, w1, w2, w3, scores + 3 * scoreStride);
    }

    // One query, four registers of O.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OneWide<TElement>(float* weights, in StoredRows values, float* output, in StoredRows ahead,
        int rowBytes)
        where TElement : struct, IRowElement
    {
        nint stride = values.StrideBytes, aheadStride = ahead.StrideBytes;
        byte* v = (byte*)values.Start, next = (byte*)ahead.Start;
        int count = values.Count, aheadRows = ahead.Count, register = T.Count * TElement.SizeBytes;
        T o0 = T.Load(output), o1 = T.Load(output + T.Count), o2 = T.Load(output + 2 * T.Count),
            o3 = T.Load(output + 3 * T.Count);
        for (int j = 0; j < count; j++, v += stride)
        {
            if (j < aheadRows)
            {
                CacheLines.Prefetch(next, rowBytes, level: 1);
                next += aheadStride;
            }
            T p = T.Create(weights[j]);
            o0 = T.FusedMultiplyAdd(p, TElement.Load<T>(v), o0);
            o1 = T.FusedMultiplyAdd(p, TElement.Load<T>(v + register), o1);
            o2 = T.FusedMultiplyAdd(p, TElement.Load<T>(v + 2 * register), o2);
            o3 = T.FusedMultiplyAdd(p, TElement.Load<T>(v + 3 * register), o3);
        }
        T.Store(o0, output);
        T.Store(o1, output + T.Count);
        T.Store(o2, output + 2 * T.Count);
        T.Store(o3, output + 3 * T.Count);
    }

    // Four queries, four registers of O each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FourWide<TElement>(float* weights, int weightStride, in StoredRows values, float* output,
        int headDim, in StoredRows ahead,
        int rowBytes)
        where TElement : struct, IRowElement
    {
        nint stride = values.StrideBytes, aheadStride = ahead.StrideBytes;
        byte* v = (byte*)values.Start, next = (byte*)ahead.Start;
        int count = values.Count, aheadRows = ahead.Count, register = T.Count * TElement.SizeBytes;
        float* weights2 = weights + 2 * weightStride, a = output, b = a + headDim, c = b + headDim, e = c + headDim;
        T a0 = T.Load(a), a1 = T.Load(a + T.Count), a2 = T.Load(a + 2 * T.Count), a3 = T.Load(a + 3 * T.Count);
        T b0 = T.Load(b), b1 = T.Load(b + T.Count), b2 = T.Load(b + 2 * T.Count), b3 = T.Load(b + 3 * T.Count);
        T c0 = T.Load(c), c1 = T.Load(c + T.Count), c2 = T.Load(c + 2 * T.Count), c3 = T.Load(c + 3 * T.Count);
        T e0 = T.Load(e), e1 = T.Load(e + T.Count), e2 = T.Load(e + 2 * T.Count), e3 = T.Load(e + 3 * T.Count);
        for (int j = 0; j < count; j++, v += stride, weights++, weights2++)
        {
            if (j < aheadRows)
            {
                CacheLines.Prefetch(next, rowBytes, level: 1);
                next += aheadStride;
            }
            T v0 = TElement.Load<T>(v), v1 = TElement.Load<T>(v + register), v2 = TElement.Load<T>(v + 2 * register),
                v3 = TElement.Load<T>(v + 3 * register);
            T p = T.Create(weights[0]);
            a0 = T.FusedMultiplyAdd(p, v0, a0); a1 = T.FusedMultiplyAdd(p, v1, a1); a2 = T.FusedMultiplyAdd(p, v2, a2);
                a3 = T.FusedMultiplyAdd(p, v3, a3);
            p = T.Create(weights[weightStride]);
            b0 = T.FusedMultiplyAdd(p, v0, b0); b1 = T.FusedMultiplyAdd(p, v1, b1); b2 = T.FusedMultiplyAdd(p, v2, b2);
                b3 = T.FusedMultiplyAdd(p, v3, b3);
            p = T.Create(weights2[0]);
            c0 = T.FusedMultiplyAdd(p, v0, c0); c1 = T.FusedMultiplyAdd(p, v1, c1); c2 = T.FusedMultiplyAdd(p, v2, c2);
                c3 = T.FusedMultiplyAdd(p, v3, c3);
            p = T.Create(weights2[weightStride]);
            e0 = T.FusedMultiplyAdd(p, v0, e0); e1 = T.FusedMultiplyAdd(p, v1, e1); e2 = T.FusedMultiplyAdd(p, v2, e2);
                e3 = T.FusedMultiplyAdd(p, v3, e3);
        }
        T.Store(a0, a); T.Store(a1, a + T.Count); T.Store(a2, a + 2 * T.Count); T.Store(a3, a + 3 * T.Count);
        T.Store(b0, b); T.Store(b1, b + T.Count); T.Store(b2, b + 2 * T.Count); T.Store(b3, b + 3 * T.Count);
        T.Store(c0, c); T.Store(c1, c + T.Count); T.Store(c2, c + 2 * T.Count); T.Store(c3, c + 3 * T.Count);
        T.Store(e0, e); T.Store(e1, e + T.Count); T.Store(e2, e + 2 * T.Count); T.Store(e3, e + 3 * T.Count);
    }
}
