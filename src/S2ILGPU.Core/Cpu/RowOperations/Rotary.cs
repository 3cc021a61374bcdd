using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Transfer;

namespace S2ILGPU.Cpu.RowOperations;

/// <summary>Rotates the pairs (x_c, x_{c+D/2}) of every head by the angle of the token's position; the index is the token, b * N + n.</summary>
internal readonly unsafe struct RotaryKernel(StridedView x, StridedView y, Rows cosine, Rows sine, int* positions, bool inverse, bool accumulate)
    : IRangeKernel
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        int tokens = x.Shape[1], heads = x.Shape[2], half = x.Shape[3] / 2;
        for (long token = start; token < end; token++)
        {
            int position = positions[token];
            for (int head = 0; head < heads; head++)
            {
                float* from = At(x, token / tokens, token % tokens, head), to = At(y, token / tokens, token % tokens, head);
                new ElementwiseKernel<Rotate>(new Rotate(from, cosine[position], sine[position], to, half, inverse, accumulate)).Execute<T>(0, half);
            }
        }
    }

    private static float* At(in StridedView view, long batch, long token, long head) =>
        (float*)view.Data + batch * view.Strides[0] + token * view.Strides[1] + head * view.Strides[2];

    // y_c = x_c cos - x_{c+D/2} sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin
    private readonly struct Rotate(float* x, float* cosine, float* sine, float* y, int half, bool inverse, bool accumulate) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var (first, second) = (T.Load(x + index), T.Load(x + half + index));
            var (cos, sin) = (T.Load(cosine + index), T.Load(sine + index));
            if (inverse)
                sin = T.Zero - sin;
            var (upper, lower) = (first * cos - second * sin, second * cos + first * sin);
            T.Store(accumulate ? T.Load(y + index) + upper : upper, y + index);
            T.Store(accumulate ? T.Load(y + half + index) + lower : lower, y + half + index);
        }
    }
}
