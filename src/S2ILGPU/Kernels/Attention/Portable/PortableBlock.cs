using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Eight floats of one thread.</summary>
internal struct Floats8
{
    public float A, B, C, D, E, F, G, H;

    /// <summary>Every eighth element: <c>memory[first + 8 n step]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Load(ArrayView<float> memory, int first, int step) => new()
    {
        A = memory[first], B = memory[first + 8 * step], C = memory[first + 16 * step], D = memory[first + 24 * step],
        E = memory[first + 32 * step],
        F = memory[first + 40 * step],
        G = memory[first + 48 * step],
        H = memory[first + 56 * step],
    };

    /// <summary>Stores every eighth element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(ArrayView<float> memory, int first, int step)
    {
        memory[first] = A;
        memory[first + 8 * step] = B;
        memory[first + 16 * step] = C;
        memory[first + 24 * step] = D;
        memory[first + 32 * step] = E;
        memory[first + 40 * step] = F;
        memory[first + 48 * step] = G;
        memory[first + 56 * step] = H;
    }

    /// <summary>Stores the elements 0, 8, 16, ... of a row in global memory, as far as the row has them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store<TElement>(ArrayView<int> memory, long start, int column, int columns)
        where TElement : struct, IStoredElement
    {
        if (column < columns) TElement.Store(memory, start + column, A);
        if (column + 8 < columns) TElement.Store(memory, start + column + 8, B);
        if (column + 16 < columns) TElement.Store(memory, start + column + 16, C);
        if (column + 24 < columns) TElement.Store(memory, start + column + 24, D);
        if (column + 32 < columns) TElement.Store(memory, start + column + 32, E);
        if (column + 40 < columns) TElement.Store(memory, start + column + 40, F);
        if (column + 48 < columns) TElement.Store(memory, start + column + 48, G);
        if (column + 56 < columns) TElement.Store(memory, start + column + 56, H);
    }

    /// <summary><c>this += factor * x</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddScaled(float factor, in Floats8 x)
    {
        A += factor * x.A;
        B += factor * x.B;
        C += factor * x.C;
        D += factor * x.D;
        E += factor * x.E;
        F += factor * x.F;
        G += factor * x.G;
        H += factor * x.H;
    }

    /// <summary><c>this *= factor</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scale(float factor)
    {
        A *= factor;
        B *= factor;
        C *= factor;
        D *= factor;
        E *= factor;
        F *= factor;
        G *= factor;
        H *= factor;
    }

    /// <summary><c>this += number</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(float number)
    {
        A += number;
        B += number;
        C += number;
        D += number;
        E += number;
        F += number;
        G += number;
        H += number;
    }

    /// <summary>Multiplies every eighth element of a tile of weights in shared memory; what is hidden stays
    /// so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void MultiplyInto(ArrayView<float> memory, int first)
    {
        Multiply(memory, first, A);
        Multiply(memory, first + 8, B);
        Multiply(memory, first + 16, C);
        Multiply(memory, first + 24, D);
        Multiply(memory, first + 32, E);
        Multiply(memory, first + 40, F);
        Multiply(memory, first + 48, G);
        Multiply(memory, first + 56, H);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(ArrayView<float> memory, int at, float factor)
    {
        float weight = memory[at], product = weight * factor;
        memory[at] = weight == PortableTiles.Hidden ? weight : product;
    }
}

/// <summary>One thread's part of a 64x64 tile: rows y, y + 8, ... and columns x, x + 8, ... of thread (x, y) of 8x8.
/// Fields, so that it lives in registers without any unrolling.</summary>
internal struct Block8x8
{
    public Floats8 R0, R1, R2, R3, R4, R5, R6, R7;

    /// <summary><c>this += rows columns^T</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddOuter(in Floats8 rows, in Floats8 columns)
    {
        R0.AddScaled(rows.A, columns);
        R1.AddScaled(rows.B, columns);
        R2.AddScaled(rows.C, columns);
        R3.AddScaled(rows.D, columns);
        R4.AddScaled(rows.E, columns);
        R5.AddScaled(rows.F, columns);
        R6.AddScaled(rows.G, columns);
        R7.AddScaled(rows.H, columns);
    }

    /// <summary>The same for rows of weights, of which hidden ones add nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddVisibleOuter(in Floats8 rows, in Floats8 columns)
    {
        if (rows.A != PortableTiles.Hidden) R0.AddScaled(rows.A, columns);
        if (rows.B != PortableTiles.Hidden) R1.AddScaled(rows.B, columns);
        if (rows.C != PortableTiles.Hidden) R2.AddScaled(rows.C, columns);
        if (rows.D != PortableTiles.Hidden) R3.AddScaled(rows.D, columns);
        if (rows.E != PortableTiles.Hidden) R4.AddScaled(rows.E, columns);
        if (rows.F != PortableTiles.Hidden) R5.AddScaled(rows.F, columns);
        if (rows.G != PortableTiles.Hidden) R6.AddScaled(rows.G, columns);
        if (rows.H != PortableTiles.Hidden) R7.AddScaled(rows.H, columns);
    }

    /// <summary>Multiplies each row by its factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ScaleRows(in Floats8 factors)
    {
        R0.Scale(factors.A);
        R1.Scale(factors.B);
        R2.Scale(factors.C);
        R3.Scale(factors.D);
        R4.Scale(factors.E);
        R5.Scale(factors.F);
        R6.Scale(factors.G);
        R7.Scale(factors.H);
    }

    /// <summary>Stores into a tile in shared memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(ArrayView<float> tile, int x, int y, int pitch)
    {
        R0.Store(tile, y * pitch + x, 1);
        R1.Store(tile, (y + 8) * pitch + x, 1);
        R2.Store(tile, (y + 16) * pitch + x, 1);
        R3.Store(tile, (y + 24) * pitch + x, 1);
        R4.Store(tile, (y + 32) * pitch + x, 1);
        R5.Store(tile, (y + 40) * pitch + x, 1);
        R6.Store(tile, (y + 48) * pitch + x, 1);
        R7.Store(tile, (y + 56) * pitch + x, 1);
    }

    /// <summary>Multiplies everything by a factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scale(float factor) =>
        ScaleRows(new Floats8 { A = factor, B = factor, C = factor, D = factor, E = factor, F = factor, G = factor,
        H = factor });

    /// <summary>Subtracts a number from each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SubtractRows(in Floats8 numbers)
    {
        R0.Add(-numbers.A);
        R1.Add(-numbers.B);
        R2.Add(-numbers.C);
        R3.Add(-numbers.D);
        R4.Add(-numbers.E);
        R5.Add(-numbers.F);
        R6.Add(-numbers.G);
        R7.Add(-numbers.H);
    }

    /// <summary>Subtracts a number from each column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SubtractColumns(in Floats8 numbers)
    {
        R0.AddScaled(-1, numbers);
        R1.AddScaled(-1, numbers);
        R2.AddScaled(-1, numbers);
        R3.AddScaled(-1, numbers);
        R4.AddScaled(-1, numbers);
        R5.AddScaled(-1, numbers);
        R6.AddScaled(-1, numbers);
        R7.AddScaled(-1, numbers);
    }

    /// <summary>Multiplies a tile in shared memory by this, element by element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void MultiplyInto(ArrayView<float> tile, int x, int y, int pitch)
    {
        R0.MultiplyInto(tile, y * pitch + x);
        R1.MultiplyInto(tile, (y + 8) * pitch + x);
        R2.MultiplyInto(tile, (y + 16) * pitch + x);
        R3.MultiplyInto(tile, (y + 24) * pitch + x);
        R4.MultiplyInto(tile, (y + 32) * pitch + x);
        R5.MultiplyInto(tile, (y + 40) * pitch + x);
        R6.MultiplyInto(tile, (y + 48) * pitch + x);
        R7.MultiplyInto(tile, (y + 56) * pitch + x);
    }
}
