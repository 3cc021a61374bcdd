using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Multiplication;

/// <summary>
/// An operand of a product as the register kernels want it: lanes (rows of op(A), columns of op(B)) by steps of the sum. In a packed panel the lanes of a step are adjacent.
/// </summary>
/// <param name="Data">Lane 0 of step 0.</param>
/// <param name="Stride">Distance between rows of the stored matrix, in elements.</param>
/// <param name="LanesAdjacent">Whether a stored row holds the lanes of one step, rather than the steps of one lane.</param>
internal readonly unsafe record struct PanelSource(nint Data, nint Stride, bool LanesAdjacent)
{
    /// <summary>An element.</summary>
    public float* At(long lane, long step) => (float*)Data + (LanesAdjacent ? step * Stride + lane : lane * Stride + step);

    /// <summary>Packs lanes by steps into <c>panel[steps, width]</c>; lanes up to the width are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack<T>(long firstLane, int lanes, long firstStep, int steps, float* panel, int width) where T : unmanaged, ISimd<T>
    {
        float* source = At(firstLane, firstStep);
        if (LanesAdjacent)
        {
            for (int step = 0; step < steps; step++)
                CopyStep<T>(source + step * Stride, lanes, panel + (nint)step * width, width);
            return;
        }
        BlockMoves<T>.Transpose(source, Stride, lanes, steps, panel, width, 1);
        if (lanes < width)
            for (int step = 0; step < steps; step++)
                new Span<float>(panel + (nint)step * width + lanes, width - lanes).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStep<T>(float* source, int lanes, float* target, int width) where T : unmanaged, ISimd<T>
    {
        int lane = 0;
        for (; lane + T.Count <= lanes; lane += T.Count)
            T.Store(T.Load(source + lane), target + lane);
        for (; lane + Simd128.Count <= lanes; lane += Simd128.Count)
            Simd128.Store(Simd128.Load(source + lane), target + lane);
        for (; lane < lanes; lane++)
            target[lane] = source[lane];
        for (; lane < width; lane++)
            target[lane] = 0;
    }
}
