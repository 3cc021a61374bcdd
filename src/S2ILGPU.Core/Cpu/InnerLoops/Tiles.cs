using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>How a register tile of C begins and how it ends. Inlined into the kernels, so that an epilogue costs no
/// extra pass over C.</summary>
internal unsafe interface ITile<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary>Whether <see cref="EndColumn"/> wants the largest sum of every column of the tile.</summary>
    static abstract bool NeedsColumnMax { get; }

    /// <summary>What a register of the sum starts with. <paramref name="c"/> is its place in C.</summary>
    T Begin(float* c, nint column);

    /// <summary>Stores a finished register of the sum.</summary>
    void End(T sum, float* c, nint row, nint column);

    /// <summary>Receives the largest sum over the rows of the tile.</summary>
    void EndColumn(T max, nint column);
}

/// <summary><c>C = A B</c></summary>
internal readonly unsafe struct Overwrite<T> : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column) => T.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column) => T.Store(sum, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T max, nint column) { }
}

/// <summary><c>C += A B</c> for C that is in the first-level cache: the sum starts with C.</summary>
internal readonly unsafe struct Accumulate<T> : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column) => T.Load(c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column) => T.Store(sum, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T max, nint column) { }
}

/// <summary><c>C += A B</c> for C that is further away: prefetched at the beginning, added at the end.</summary>
internal readonly unsafe struct AccumulateLate<T> : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(c);
        return T.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column) => T.Store(T.Load(c) + sum, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T max, nint column) { }
}

/// <summary><c>C = A B, max_column = max(max_column, C)</c>: scores with keys as rows and queries as columns.</summary>
internal readonly unsafe struct TrackMax<T>(float* max) : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column) => T.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column) => T.Store(sum, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T tileMax, nint column) => T.Store(T.Max(tileMax, T.Load(max + column)), max + column);
}

/// <summary><c>C = C * factor_column + A B</c>: the output of online softmax, rescaled while it is loaded.</summary>
internal readonly unsafe struct Rescale<T>(float* factor) : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column) => T.Load(c) * T.Load(factor + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column) => T.Store(sum, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T max, nint column) { }
}

/// <summary><c>C = weight * (A B - shift_row)</c>: <c>dS = P (dP - delta)</c>, stored twice: as C and row by
/// row.</summary>
/// <param name="weights">Distance from an element of C to its weight.</param>
/// <param name="shift">The shifts.</param>
/// <param name="copy">Where it is stored row by row.</param>
/// <param name="copyStride">Floats from one row to the next there.</param>
internal readonly unsafe struct WeightedDifference<T>(nint weights, float* shift, float* copy, nint copyStride)
    : ITile<T>
    where T : unmanaged, ISimd<T>
{
    public static bool NeedsColumnMax => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Begin(float* c, nint column) => T.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(T sum, float* c, nint row, nint column)
    {
        T result = T.Load(c + weights) * (sum - T.Create(shift[row]));
        T.Store(result, c);
        T.Store(result, copy + row * copyStride + column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndColumn(T max, nint column) { }
}
