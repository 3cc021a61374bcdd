using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Multiplication;

/// <summary>An operand of a product as the register kernels want it: lanes (rows of op(A), columns of op(B)) by steps of the sum.</summary>
/// <remarks>Packed, some lanes make a panel <c>[steps, width]</c>, zero where there are no lanes; panels lie one after the other.</remarks>
/// <param name="Data">Lane 0 of step 0.</param>
/// <param name="Stride">Distance between rows of the stored matrix, in elements.</param>
/// <param name="LanesAdjacent">Whether a stored row holds the lanes of one step, rather than the steps of one lane.</param>
internal readonly unsafe record struct PanelSource(nint Data, nint Stride, bool LanesAdjacent)
{
    // Where lanes are adjacent, so many rows are walked side by side: neighbouring panels read on in the same rows, and writes stay together.
    private const int StepsAtOnce = 16;

    /// <summary>Packs lanes by steps.</summary>
    /// <param name="lanes">The lanes.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="panels">Receives the panels; the first step of the first.</param>
    /// <param name="width">Lanes of a panel.</param>
    /// <param name="panelStride">Distance between panels, in elements.</param>
    public void Pack<T>(Stretch lanes, Stretch steps, float* panels, int width, nint panelStride) where T : unmanaged, ISimd<T>
    {
        int stepsAtOnce = LanesAdjacent ? StepsAtOnce : steps.Count;
        for (int step = 0; step < steps.Count; step += stepsAtOnce)
        {
            if (LanesAdjacent)
                Prefetch(lanes, steps.First + step + StepsAtOnce, Math.Min(StepsAtOnce, steps.Count - step - StepsAtOnce));
            for (int lane = 0; lane < lanes.Count; lane += width)
            {
                float* panel = panels + lane / width * panelStride + (nint)step * width;
                var (some, now) = (Math.Min(width, lanes.Count - lane), Math.Min(stepsAtOnce, steps.Count - step));
                PackPanel<T>(lanes.First + lane, some, steps.First + step, now, panel, width);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackPanel<T>(long firstLane, int lanes, long firstStep, int steps, float* panel, int width) where T : unmanaged, ISimd<T>
    {
        if (LanesAdjacent)
        {
            float* source = (float*)Data + firstStep * Stride + firstLane;
            for (int step = 0; step < steps; step++)
                CopyLanes<T>(source + step * Stride, lanes, panel + (nint)step * width);
        }
        else if (lanes < T.Count)
            BlockMoves<Simd128>.Transpose((float*)Data + firstLane * Stride + firstStep, Stride, lanes, steps, panel, width, 1);
        else
            BlockMoves<T>.Transpose((float*)Data + firstLane * Stride + firstStep, Stride, lanes, steps, panel, width, 1);
        if (lanes < width)
            for (int step = 0; step < steps; step++)
                new Span<float>(panel + (nint)step * width + lanes, width - lanes).Clear();
    }

    // The rows are too short for the hardware to notice.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Prefetch(Stretch lanes, long firstStep, int steps)
    {
        if (Sse.IsSupported)
            for (int step = 0; step < steps; step++)
                for (int lane = 0; lane < lanes.Count; lane += NativePages.CacheLine / sizeof(float))
                    Sse.Prefetch0((float*)Data + (firstStep + step) * Stride + lanes.First + lane);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyLanes<T>(float* source, int lanes, float* target) where T : unmanaged, ISimd<T>
    {
        int lane = 0;
        for (; lane + T.Count <= lanes; lane += T.Count)
            T.Store(T.Load(source + lane), target + lane);
        for (; lane + Simd128.Count <= lanes; lane += Simd128.Count)
            Simd128.Store(Simd128.Load(source + lane), target + lane);
        for (; lane < lanes; lane++)
            target[lane] = source[lane];
    }
}

/// <summary>Consecutive lanes or steps.</summary>
internal readonly record struct Stretch(long First, int Count);
