using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Optimizer;

/// <summary><c>partial_i = sum x^2</c> over the i-th chunk, in double precision. One code for all register
/// widths.</summary>
internal readonly unsafe struct SumOfSquaresKernel(float* x, double* partials) : IRangeKernel
{
    public const int Grain = 16 * 1024;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        Vector256<double> a = default, b = default, c = default, d = default;
        double rest = 0;
        long index = start;
        for (; index + 16 <= end; index += 16)
        {
            var (x0, x1) = Vector256.Widen(Vector256.Load(x + index));
            var (x2, x3) = Vector256.Widen(Vector256.Load(x + index + 8));
            a += x0 * x0;
            b += x1 * x1;
            c += x2 * x2;
            d += x3 * x3;
        }
        for (; index < end; index++)
            rest += (double)x[index] * x[index];
        partials[start / Grain] = Vector256.Sum(a + b + (c + d)) + rest;
    }
}
