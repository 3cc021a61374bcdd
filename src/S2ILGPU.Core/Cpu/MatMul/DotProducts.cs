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
    : IRangeKernel where TStored : unmanaged, IStoredFloat<TStored>
{
    // More vectors than these leave the second-level cache before the next rows need them: 64 x 2048 x 2048 takes 1.4
    // times as long without.
    private const int VectorsAtOnce = 16;

    // Short rows: as many as fill a cache line of the output, which is then written once. 64 x 4096 x 128 takes 1.5
    // times as long with four, because its columns lie a power of two apart.
    private const int ShortColumns = 256, ShortRowsAtOnce = 16, RowsAtOnce = 4;

    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        int atOnce = rows.Columns <= ShortColumns ? ShortRowsAtOnce : RowsAtOnce;
        for (int vector = 0; vector < vectors.Count; vector += VectorsAtOnce)
            for (long row = start; row < end; row += atOnce)
                Execute<T>(row, Math.Min(end, row + atOnce), vector,
                    (int)Math.Min(vectors.Count, vector + VectorsAtOnce));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Execute<T>(long start, long end, int firstVector, int endVector) where T : unmanaged, ISimd<T>
    {
        long wholeEnd = start + (end - start & ~3);
        int vector = firstVector;
        for (; vector + 4 <= endVector; vector += 4)
            for (long row = start; row < wholeEnd; row += 4)
                if (T.HasManyRegisters)
                    FourRowsFourVectors<T>(row, vector);
                else
                {
                    FourRowsTwoVectors<T>(row, vector);
                    FourRowsTwoVectors<T>(row, vector + 2);
                }
        for (; vector < endVector; vector++)
            for (long row = start; row < wholeEnd; row += 4)
                FourRows<T>(row, vector);
        for (long row = wholeEnd; row < end; row++)
            for (vector = firstVector; vector < endVector; vector++)
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
        float* kept = stackalloc float[4], sums = WritesSums(k) ? At(vector, row) : kept;
        T.StoreSums(s0, s1, s2, s3, sums);
        if (sums == kept)
            PutFour(vector, row, sums, k);
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
        float* kept = stackalloc float[16], sums = WritesSums(k) ? At(vector, row) : kept;
        nint next = sums == kept ? 4 : vectorStride;
        T.StoreSums(s00, s01, s02, s03, sums);
        T.StoreSums(s10, s11, s12, s13, sums + next);
        T.StoreSums(s20, s21, s22, s23, sums + 2 * next);
        T.StoreSums(s30, s31, s32, s33, sums + 3 * next);
        for (int n = 0; n < 4 && sums == kept; n++)
            PutFour(vector + n, row, kept + 4 * n, k);
    }

    // 6 loads for 8 multiply-adds, for 16 registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FourRowsTwoVectors<T>(long row, int vector) where T : unmanaged, ISimd<T>
    {
        TStored* r0 = Row(row), r1 = Row(row + 1), r2 = Row(row + 2), r3 = Row(row + 3);
        float* v0 = vectors[vector], v1 = vectors[vector + 1];
        T s00 = T.Zero, s01 = T.Zero, s02 = T.Zero, s03 = T.Zero;
        T s10 = T.Zero, s11 = T.Zero, s12 = T.Zero, s13 = T.Zero;
        int k = 0, columns = rows.Columns;
        for (; k + T.Count <= columns; k += T.Count)
        {
            T x0 = T.Load(v0 + k), x1 = T.Load(v1 + k), w = TStored.Load<T>(r0 + k);
            s00 = T.FusedMultiplyAdd(x0, w, s00);
            s10 = T.FusedMultiplyAdd(x1, w, s10);
            w = TStored.Load<T>(r1 + k);
            s01 = T.FusedMultiplyAdd(x0, w, s01);
            s11 = T.FusedMultiplyAdd(x1, w, s11);
            w = TStored.Load<T>(r2 + k);
            s02 = T.FusedMultiplyAdd(x0, w, s02);
            s12 = T.FusedMultiplyAdd(x1, w, s12);
            w = TStored.Load<T>(r3 + k);
            s03 = T.FusedMultiplyAdd(x0, w, s03);
            s13 = T.FusedMultiplyAdd(x1, w, s13);
        }
        float* kept = stackalloc float[8], sums = WritesSums(k) ? At(vector, row) : kept;
        nint next = sums == kept ? 4 : vectorStride;
        T.StoreSums(s00, s01, s02, s03, sums);
        T.StoreSums(s10, s11, s12, s13, sums + next);
        for (int n = 0; n < 2 && sums == kept; n++)
            PutFour(vector + n, row, kept + 4 * n, k);
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
        Put(vector, row, T.Sum(sum), k);
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

    // Whether sums over the columns before k go to the output as they are, those of four rows side by side.
    private bool WritesSums(int k) => rowStride == 1 && k == rows.Columns && !accumulate;

    // The sums of a vector with four rows.
    private void PutFour(int vector, long row, float* sums, int k)
    {
        for (int n = 0; n < 4; n++)
            Put(vector, row + n, sums[n], k);
    }

    // Columns from k on are left to add.
    private void Put(int vector, long row, float sum, int k)
    {
        if (k < rows.Columns)
            sum += Rest(vectors[vector], Row(row), k);
        float* target = At(vector, row);
        *target = accumulate ? *target + sum : sum;
    }

    private float* At(int vector, long row) => output + vector * vectorStride + (nint)row * rowStride;

    private float Rest(float* v, TStored* r, int k)
    {
        float sum = 0;
        for (; k < rows.Columns; k++)
            sum += v[k] * TStored.Widen(r[k]);
        return sum;
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
