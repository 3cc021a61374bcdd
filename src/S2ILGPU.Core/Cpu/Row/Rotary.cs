using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary>Rotates the pairs (x_c, x_{c+D/2}) of every head by the angle of the token's position; the index is the
/// token, b * N + n.</summary>
internal readonly unsafe struct RotaryKernel<TStored>(StridedView x, StridedView y, Rows cosine, Rows sine,
    int* positions, bool inverse, bool accumulate)
    : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    // A head is short, so what heads share is computed once per token: 2.5 times faster than a view's address for each.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        int tokens = x.Shape[1], heads = x.Shape[2], half = x.Shape[3] / 2;
        nint fromStride = x.Strides[2], toStride = y.Strides[2];
        for (long token = start; token < end; token++)
        {
            TStored* from = TokenOf(x, token / tokens, token % tokens),
                to = TokenOf(y, token / tokens, token % tokens);
            float* cos = cosine[positions[token]], sin = sine[positions[token]];
            for (int head = 0; head < heads; head++, from += fromStride, to += toStride)
            {
                var rotate = new Rotate(from, cos, sin, to, half, inverse, accumulate);
                int index = 0;
                for (; index + T.Count <= half; index += T.Count)
                    rotate.Apply<T>(index);
                for (; index < half; index++)
                    rotate.Apply<SimdScalar>(index);
            }
        }
    }

    private static TStored* TokenOf(in StridedView view, long batch, long token) =>
        (TStored*)view.Data + batch * view.Strides[0] + token * view.Strides[1];

    // y_c = x_c cos - x_{c+D/2} sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin
    private readonly struct Rotate(TStored* x, float* cosine, float* sine, TStored* y, int half,
        bool inverse, bool accumulate) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var (first, second) = (TStored.Load<T>(x + index), TStored.Load<T>(x + half + index));
            var (cos, sin) = (T.Load(cosine + index), T.Load(sine + index));
            if (inverse)
                sin = T.Zero - sin;
            var (upper, lower) = (first * cos - second * sin, second * cos + first * sin);
            TStored.Store(accumulate ? TStored.Load<T>(y + index) + upper : upper, y + index);
            TStored.Store(accumulate ? TStored.Load<T>(y + half + index) + lower : lower, y + half + index);
        }
    }
}
