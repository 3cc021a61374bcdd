using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.MatMul;

/// <summary>
/// <c>out[v, r] (+)= sum_k vectors[v, k] rows[r, k]</c> for a few vectors: the product of decoding. The rows (weights)
/// are read from memory once; the index is the row.
/// </summary>
/// <remarks>Every sum is one chain of registers, whatever the number of vectors and the place of the row, so that a
/// token's result does not depend on the batch around it.</remarks>
internal readonly unsafe struct DotProductsKernel<TStored>(Rows rows, Rows vectors, float* output, nint vectorStride,
    nint rowStride, bool accumulate)
    : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        long row = start;
        for (; row + 4 <= end; row += 4)
        {
            int vector = 0;
            for (; vector + 4 <= vectors.Count; vector += 4)
                if (T.HasManyRegisters)
                    FourRowsFourVectors<T>(row, vector);
                else
                {
                    TwoRowsFourVectors<T>(row, vector);
                    TwoRowsFourVectors<T>(row + 2, vector);
                }
            for (; vector < vectors.Count; vector++)
                FourRows<T>(row, vector);
        }
        for (; row < end; row++)
            for (int vector = 0; vector < vectors.Count; vector++)
                OneRow<T>(row, vector);
    }

    // One vector with four rows: four chains are enough to wait for memory only.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FourRows<T>(long row, int vector) where T : unmanaged, ISimd<T>
    {
        TStored* r0 = Row(row), r1 = Row(row + 1), r2 = Row(row + 2), r3 = Row(row + 3);
        float* v = vectors[vector];
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        int k = 0, columns = rows.Columns;
        for (; k + T.Count <= columns; k += T.Count)
        {
            if (sizeof(TStored) < sizeof(float))
                FetchNext(r0 + k, r1 + k, r2 + k, r3 + k);
            T x = T.Load(v + k);
            s0 = T.FusedMultiplyAdd(x, TStored.Load<T>(r0 + k), s0);
            s1 = T.FusedMultiplyAdd(x, TStored.Load<T>(r1 + k), s1);
            s2 = T.FusedMultiplyAdd(x, TStored.Load<T>(r2 + k), s2);
            s3 = T.FusedMultiplyAdd(x, TStored.Load<T>(r3 + k), s3);
        }
        Put(vector, row, T.Sum(s0) + Rest(v, r0, k));
        Put(vector, row + 1, T.Sum(s1) + Rest(v, r1, k));
        Put(vector, row + 2, T.Sum(s2) + Rest(v, r2, k));
        Put(vector, row + 3, T.Sum(s3) + Rest(v, r3, k));
    }

    // 8 loads for 16 multiply-adds, for 32 registers: the vectors need not be in the first-level cache.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FourRowsFourVectors<T>(long row, int vector) where T : unmanaged, ISimd<T>
    {
        TStored* r0 = Row(row), r1 = Row(row + 1), r2 = Row(row + 2), r3 = Row(row + 3);
        float* v0 = vectors[vector], v1 = vectors[vector + 1], v2 = vectors[vector + 2], v3 = vectors[vector + 3];
        T s00 = T.Zero, s01 = T.Zero, s02 = T.Zero, s03 = T.Zero;
        T s10 = T.Zero, s11 = T.Zero, s12 = T.Zero, s13 = T.Zero;
        T s20 = T.Zero, s21 = T.Zero, s22 = T.Zero, s23 = T.Zero;
        T s30 = T.Zero, s31 = T.Zero, s32 = T.Zero, s33 = T.Zero;
        int k = 0, columns = rows.Columns;
        for (; k + T.Count <= columns; k += T.Count)
        {
            FetchNext(r0 + k, r1 + k, r2 + k, r3 + k);
            T w0 = TStored.Load<T>(r0 + k), w1 = TStored.Load<T>(r1 + k), w2 = TStored.Load<T>(r2 + k),
                w3 = TStored.Load<T>(r3 + k);
            T x0 = T.Load(v0 + k);
            s00 = T.FusedMultiplyAdd(x0, w0, s00);
            s01 = T.FusedMultiplyAdd(x0, w1, s01);
            s02 = T.FusedMultiplyAdd(x0, w2, s02);
            s03 = T.FusedMultiplyAdd(x0, w3, s03);
            T x1 = T.Load(v1 + k);
            s10 = T.FusedMultiplyAdd(x1, w0, s10);
            s11 = T.FusedMultiplyAdd(x1, w1, s11);
            s12 = T.FusedMultiplyAdd(x1, w2, s12);
            s13 = T.FusedMultiplyAdd(x1, w3, s13);
            T x2 = T.Load(v2 + k);
            s20 = T.FusedMultiplyAdd(x2, w0, s20);
            s21 = T.FusedMultiplyAdd(x2, w1, s21);
            s22 = T.FusedMultiplyAdd(x2, w2, s22);
            s23 = T.FusedMultiplyAdd(x2, w3, s23);
            T x3 = T.Load(v3 + k);
            s30 = T.FusedMultiplyAdd(x3, w0, s30);
            s31 = T.FusedMultiplyAdd(x3, w1, s31);
            s32 = T.FusedMultiplyAdd(x3, w2, s32);
            s33 = T.FusedMultiplyAdd(x3, w3, s33);
        }
        Put(vector, row, T.Sum(s00) + Rest(v0, r0, k));
        Put(vector, row + 1, T.Sum(s01) + Rest(v0, r1, k));
        Put(vector, row + 2, T.Sum(s02) + Rest(v0, r2, k));
        Put(vector, row + 3, T.Sum(s03) + Rest(v0, r3, k));
        Put(vector + 1, row, T.Sum(s10) + Rest(v1, r0, k));
        Put(vector + 1, row + 1, T.Sum(s11) + Rest(v1, r1, k));
        Put(vector + 1, row + 2, T.Sum(s12) + Rest(v1, r2, k));
        Put(vector + 1, row + 3, T.Sum(s13) + Rest(v1, r3, k));
        Put(vector + 2, row, T.Sum(s20) + Rest(v2, r0, k));
        Put(vector + 2, row + 1, T.Sum(s21) + Rest(v2, r1, k));
        Put(vector + 2, row + 2, T.Sum(s22) + Rest(v2, r2, k));
        Put(vector + 2, row + 3, T.Sum(s23) + Rest(v2, r3, k));
        Put(vector + 3, row, T.Sum(s30) + Rest(v3, r0, k));
        Put(vector + 3, row + 1, T.Sum(s31) + Rest(v3, r1, k));
        Put(vector + 3, row + 2, T.Sum(s32) + Rest(v3, r2, k));
        Put(vector + 3, row + 3, T.Sum(s33) + Rest(v3, r3, k));
    }

    // 6 loads for 8 multiply-adds, for 16 registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TwoRowsFourVectors<T>(long row, int vector) where T : unmanaged, ISimd<T>
    {
        TStored* r0 = Row(row), r1 = Row(row + 1);
        float* v0 = vectors[vector], v1 = vectors[vector + 1], v2 = vectors[vector + 2], v3 = vectors[vector + 3];
        T s00 = T.Zero, s01 = T.Zero, s10 = T.Zero, s11 = T.Zero, s20 = T.Zero, s21 = T.Zero, s30 = T.Zero,
            s31 = T.Zero;
        int k = 0, columns = rows.Columns;
        for (; k + T.Count <= columns; k += T.Count)
        {
            T w0 = TStored.Load<T>(r0 + k), w1 = TStored.Load<T>(r1 + k), x0 = T.Load(v0 + k), x1 = T.Load(v1 + k),
                x2 = T.Load(v2 + k), x3 = T.Load(v3 + k);
            s00 = T.FusedMultiplyAdd(x0, w0, s00);
            s01 = T.FusedMultiplyAdd(x0, w1, s01);
            s10 = T.FusedMultiplyAdd(x1, w0, s10);
            s11 = T.FusedMultiplyAdd(x1, w1, s11);
            s20 = T.FusedMultiplyAdd(x2, w0, s20);
            s21 = T.FusedMultiplyAdd(x2, w1, s21);
            s30 = T.FusedMultiplyAdd(x3, w0, s30);
            s31 = T.FusedMultiplyAdd(x3, w1, s31);
        }
        Put(vector, row, T.Sum(s00) + Rest(v0, r0, k));
        Put(vector, row + 1, T.Sum(s01) + Rest(v0, r1, k));
        Put(vector + 1, row, T.Sum(s10) + Rest(v1, r0, k));
        Put(vector + 1, row + 1, T.Sum(s11) + Rest(v1, r1, k));
        Put(vector + 2, row, T.Sum(s20) + Rest(v2, r0, k));
        Put(vector + 2, row + 1, T.Sum(s21) + Rest(v2, r1, k));
        Put(vector + 3, row, T.Sum(s30) + Rest(v3, r0, k));
        Put(vector + 3, row + 1, T.Sum(s31) + Rest(v3, r1, k));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void OneRow<T>(long row, int vector) where T : unmanaged, ISimd<T>
    {
        TStored* r = Row(row);
        float* v = vectors[vector];
        T sum = T.Zero;
        int k = 0;
        for (; k + T.Count <= rows.Columns; k += T.Count)
            sum = T.FusedMultiplyAdd(T.Load(v + k), TStored.Load<T>(r + k), sum);
        Put(vector, row, T.Sum(sum) + Rest(v, r, k));
    }

    // The next four rows, while these are read. Bfloat16 4096x4096: 1.7 times faster with one vector, 1.2 times with
    // four; float32: 1.1 times with four, but 1.2 times slower with one, where the hardware keeps up by itself.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FetchNext(TStored* r0, TStored* r1, TStored* r2, TStored* r3)
    {
        if (!Sse.IsSupported)
            return;
        nint ahead = 4 * rows.Stride;
        Sse.Prefetch0(r0 + ahead);
        Sse.Prefetch0(r1 + ahead);
        Sse.Prefetch0(r2 + ahead);
        Sse.Prefetch0(r3 + ahead);
    }

    private TStored* Row(long row) => rows.At<TStored>(row);

    private float Rest(float* v, TStored* r, int k)
    {
        float sum = 0;
        for (; k < rows.Columns; k++)
            sum += v[k] * TStored.Widen(r[k]);
        return sum;
    }

    private void Put(int vector, long row, float sum)
    {
        float* target = output + vector * vectorStride + (nint)row * rowStride;
        *target = accumulate ? *target + sum : sum;
    }
}

/// <summary><c>c[m, n] (+)= sum_k a[m, k] b[k, n]</c> for a few rows m of a and c: every row of b is read from memory
/// once. The index is the column n.</summary>
internal readonly unsafe struct CombineRowsKernel(Rows a, Rows b, Rows c, bool accumulate) : IRangeKernel
{
    public const int Grain = 512;

    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        if (!accumulate)
            for (int m = 0; m < c.Count; m++)
                new Span<float>(c[m] + start, (int)(end - start)).Clear();
        long k = 0;
        for (; k + 4 <= b.Count; k += 4)
            for (int m = 0; m < c.Count; m++)
                new ElementwiseKernel<FourTerms>(new FourTerms(a[m] + k, b[k], b.Stride, c[m])).Execute<T>(start, end);
        for (; k < b.Count; k++)
            for (int m = 0; m < c.Count; m++)
                new ElementwiseKernel<AddScaledOperation<StoredSingle>>(
                    new(b.At<StoredSingle>(k), a[m][k], c.At<StoredSingle>(m))).Execute<T>(start, end);
    }

    private readonly struct FourTerms(float* a, float* b, nint stride, float* c) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var sum = T.FusedMultiplyAdd(T.Create(a[0]), T.Load(b + index), T.Load(c + index));
            sum = T.FusedMultiplyAdd(T.Create(a[1]), T.Load(b + stride + index), sum);
            sum = T.FusedMultiplyAdd(T.Create(a[2]), T.Load(b + 2 * stride + index), sum);
            T.Store(T.FusedMultiplyAdd(T.Create(a[3]), T.Load(b + 3 * stride + index), sum), c + index);
        }
    }
}
