using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>r_i = 1 / sqrt(mean_c x_ic^2 + epsilon), y_ic = x_ic r_i w_c</c>; the index is the row.</summary>
internal readonly unsafe struct RmsNormKernel<TStored>(Rows x, float* weight, Rows y, float* inverseRms,
    float epsilon) : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            TStored* from = x.At<TStored>(row);
            double mean = RowSum.Of<T, Square>(new Square(from), x.Columns) / (double)x.Columns;
            float r = (float)(1 / Math.Sqrt(mean + epsilon));
            inverseRms[row] = r;
            new ElementwiseKernel<Normalize>(new Normalize(from, weight, r, y.At<TStored>(row)))
                .Execute<T>(0, x.Columns);
        }
    }

    private readonly struct Square(TStored* x) : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public T AddTo<T>(T sum, int index) where T : unmanaged, ISimd<T> =>
            T.FusedMultiplyAdd(TStored.Load<T>(x + index), TStored.Load<T>(x + index), sum);
    }

    private readonly struct Normalize(TStored* x, float* weight, float factor, TStored* y) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            TStored.Store(TStored.Load<T>(x + index) * T.Create(factor) * T.Load(weight + index), y + index);
    }
}

/// <summary>
/// <c>dx_ic (+)= r_i (w_c dy_ic - x_ic r_i^2 mean_k(dy_ik w_k x_ik))</c>, and <c>partial_c = sum_i dy_ic x_ic r_i</c>
/// over the rows of each chunk. The index is the row; a null target is left out.
/// </summary>
internal readonly unsafe struct RmsNormBackwardKernel<TStored>(Rows x, float* weight, float* inverseRms, Rows dy,
    RowTarget dx, float* partials, long grain) : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        int columns = x.Columns;
        float* partial = partials == null ? null : partials + start / grain * columns;
        if (partial != null)
            new Span<float>(partial, columns).Clear();
        for (long row = start; row < end; row++)
        {
            float r = inverseRms[row];
            TStored* from = x.At<TStored>(row), above = dy.At<TStored>(row), target = dx.At<TStored>(row);
            if (target != null)
            {
                double mean = RowSum.Of<T, Projection>(new Projection(from, weight, above), columns) / (double)columns;
                var gradient = new InputGradient(from, weight, above, r, (float)(-mean * r * r * r), target,
                    dx.Accumulate);
                new ElementwiseKernel<InputGradient>(gradient).Execute<T>(0, columns);
            }
            if (partial != null)
                new ElementwiseKernel<WeightGradient>(new WeightGradient(from, above, r, partial))
                    .Execute<T>(0, columns);
        }
    }

    // dy w x
    private readonly struct Projection(TStored* x, float* weight, TStored* dy) : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public T AddTo<T>(T sum, int index) where T : unmanaged, ISimd<T> =>
            T.FusedMultiplyAdd(TStored.Load<T>(x + index) * T.Load(weight + index), TStored.Load<T>(dy + index), sum);
    }

    private readonly struct InputGradient(TStored* x, float* weight, TStored* dy, float factor, float pull,
        TStored* dx, bool accumulate) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var gradient = T.FusedMultiplyAdd(T.Load(weight + index) * TStored.Load<T>(dy + index), T.Create(factor),
                TStored.Load<T>(x + index) * T.Create(pull));
            TStored.Store(accumulate ? TStored.Load<T>(dx + index) + gradient : gradient, dx + index);
        }
    }

    private readonly struct WeightGradient(TStored* x, TStored* dy, float factor, float* sum) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            T.Store(T.FusedMultiplyAdd(TStored.Load<T>(x + index) * T.Create(factor), TStored.Load<T>(dy + index),
                T.Load(sum + index)), sum + index);
    }
}
