using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>An operand of a product as the register kernels want it: lanes (rows of op(A), columns of op(B)) by steps
/// of the sum.</summary>
/// <remarks>Packed, some lanes make a panel <c>[steps, width]</c>, zero where there are no lanes; panels lie one after
/// the other.</remarks>
/// <param name="Data">Lane 0 of step 0.</param>
/// <param name="Stride">Distance between rows of the stored matrix, in elements.</param>
/// <param name="LanesAdjacent">Whether a stored row holds the lanes of one step, rather than the steps of one
/// lane.</param>
/// <param name="Type">How elements are stored; those of 16 bits are widened while they are packed, only where a row
/// holds the steps of one lane.</param>
internal readonly unsafe record struct PanelSource(nint Data, nint Stride, bool LanesAdjacent,
    ElementType Type = ElementType.Float32)
{
    // Where lanes are adjacent, so many rows are walked side by side: neighbouring panels read on in the same rows, and
    // writes stay together. More than the ways of a first-level cache would push each other out when rows are a
    // multiple of 4 KB apart (16 rows: 1.5 times slower then).
    private const int RowsAtOnce = 8;

    // Otherwise so many steps of a panel's rows are transposed at a time: a few cache lines of each row, the widest
    // panel widened is 8 KB.
    private const int StepsAtOnce = 64, MaxWidth = 32;

    private const int LineFloats = CacheLines.Bytes / sizeof(float);

    /// <summary>Packs lanes by steps.</summary>
    /// <param name="lanes">The lanes.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="panels">Receives the panels; the first step of the first.</param>
    /// <param name="width">Lanes of a panel.</param>
    /// <param name="panelStride">Distance between panels, in elements.</param>
    public void Pack<T>(Stretch lanes, Stretch steps, float* panels, int width, nint panelStride)
        where T : unmanaged, ISimd<T>
    {
        if (LanesAdjacent)
            for (int step = 0; step < steps.Count; step += RowsAtOnce)
            {
                var now = new Stretch(steps.First + step, Math.Min(RowsAtOnce, steps.Count - step));
                PrefetchRows(lanes, now.First + RowsAtOnce);
                for (int lane = 0; lane < lanes.Count; lane += width)
                    CopyPanel<T>(Part(lanes, lane, width), now,
                        panels + lane / width * panelStride + (nint)step * width, width);
            }
        else
            for (int lane = 0; lane < lanes.Count; lane += width)
                TransposePanel<T>(Part(lanes, lane, width), steps, panels + lane / width * panelStride, width);
    }

    private static Stretch Part(Stretch lanes, int first, int width) =>
        new(lanes.First + first, Math.Min(width, lanes.Count - first));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CopyPanel<T>(Stretch lanes, Stretch steps, float* panel, int width) where T : unmanaged, ISimd<T>
    {
        float* source = (float*)Data + steps.First * Stride + lanes.First;
        if (lanes.Count == width && width == 2 * T.Count)
            CopyPairs<T>(source, Stride, steps.Count, panel, width);
        else if (lanes.Count == 12 && width == 12 && T.Count >= Simd256.Count)
            CopyPairs<Simd256>(source, Stride, steps.Count, panel, width);
        else if (lanes.Count == 6 && width == 6)
            CopyPairs<Simd128>(source, Stride, steps.Count, panel, width);
        else
            for (int step = 0; step < steps.Count; step++)
                CopyLanes(source + step * Stride, lanes.Count, panel + (nint)step * width, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyLanes(float* source, int lanes, float* target, int width)
    {
        int lane = 0;
        for (; lane + Simd128.Count <= lanes; lane += Simd128.Count)
            Simd128.Store(Simd128.Load(source + lane), target + lane);
        for (; lane < width; lane++)
            target[lane] = lane < lanes ? source[lane] : 0;
    }

    // Two registers that may overlap: twice as fast as walking along a row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyPairs<T>(float* source, nint stride, int steps, float* panel, int width)
        where T : unmanaged, ISimd<T>
    {
        int second = width - T.Count;
        for (; steps > 0; steps--, source += stride, panel += width)
        {
            T low = T.Load(source), high = T.Load(source + second);
            T.Store(low, panel);
            T.Store(high, panel + second);
        }
    }

    // While a panel is transposed, the rows of the next one are fetched: their runs are too short for the hardware to
    // notice.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TransposePanel<T>(Stretch lanes, Stretch steps, float* panel, int width) where T : unmanaged, ISimd<T>
    {
        bool isShort = Type != ElementType.Float32;
        float* widened = stackalloc float[isShort ? MaxWidth * StepsAtOnce : 0];
        for (int step = 0; step < steps.Count; step += StepsAtOnce)
        {
            int now = Math.Min(StepsAtOnce, steps.Count - step);
            PrefetchSteps(new Stretch(lanes.First + width, width), steps.First + step, now);
            if (Type == ElementType.BFloat16)
                Widen<T, BFloat16Element>(lanes, steps.First + step, now, widened);
            else if (Type == ElementType.Float16)
                Widen<T, Float16Element>(lanes, steps.First + step, now, widened);
            float* source = isShort ? widened : (float*)Data + lanes.First * Stride + steps.First + step;
            nint stride = isShort ? StepsAtOnce : Stride;
            if (lanes.Count < T.Count)
                BlockMoves<Simd128>.Transpose(source, stride, lanes.Count, now, panel + (nint)step * width, width, 1);
            else
                BlockMoves<T>.Transpose(source, stride, lanes.Count, now, panel + (nint)step * width, width, 1);
        }
        if (lanes.Count < width)
            for (int step = 0; step < steps.Count; step++)
                new Span<float>(panel + (nint)step * width + lanes.Count, width - lanes.Count).Clear();
    }

    private void Widen<T, TElement>(Stretch lanes, long firstStep, int steps, float* target)
        where T : unmanaged, ISimd<T> where TElement : IRowElement
    {
        for (int lane = 0; lane < lanes.Count; lane++, target += StepsAtOnce)
        {
            ushort* source = (ushort*)Data + (lanes.First + lane) * Stride + firstStep;
            int step = 0;
            for (; step + T.Count <= steps; step += T.Count)
                T.Store(TElement.Load<T>((byte*)(source + step)), target + step);
            for (; step < steps; step++)
                SimdScalar.Store(TElement.Load<SimdScalar>((byte*)(source + step)), target + step);
        }
    }

    // A prefetch beyond the end of the matrix is harmless.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PrefetchRows(Stretch lanes, long firstStep)
    {
        if (Sse.IsSupported)
            for (int step = 0; step < RowsAtOnce; step++)
                for (int lane = 0; lane < lanes.Count; lane += LineFloats)
                    Sse.Prefetch0((float*)Data + (firstStep + step) * Stride + lanes.First + lane);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PrefetchSteps(Stretch lanes, long firstStep, int steps)
    {
        int elementBytes = Type.SizeBytes();
        if (Sse.IsSupported)
            for (int lane = 0; lane < lanes.Count; lane++)
                for (int step = 0; step < steps; step += CacheLines.Bytes / elementBytes)
                    Sse.Prefetch0((byte*)Data + ((lanes.First + lane) * Stride + firstStep + step) * elementBytes);
    }
}

/// <summary>Consecutive lanes or steps.</summary>
internal readonly record struct Stretch(long First, int Count);
