using System.Numerics;

namespace S2ILGPU.Cpu.Simd;

/// <summary>A register of floats of one width. Kernels are written once over this interface; the JIT compiles one copy
/// per width with every call inlined.</summary>
/// <remarks>Measured: a 12x2 register kernel over <see cref="Simd512"/> runs at the speed of the same kernel over
/// Vector512 (99 %).</remarks>
internal unsafe interface ISimd<T> :
    IAdditionOperators<T, T, T>, ISubtractionOperators<T, T, T>, IMultiplyOperators<T, T, T>,
    IDivisionOperators<T, T, T>
    where T : unmanaged, ISimd<T>
{
    /// <summary>Floats per register.</summary>
    static abstract int Count { get; }

    /// <summary>Whether there are 32 registers (AVX-512, Arm) rather than 16, which decides the height of register
    /// tiles.</summary>
    static abstract bool HasManyRegisters { get; }

    static abstract T Zero { get; }

    /// <summary>0, 1, 2, ...</summary>
    static abstract T Iota { get; }

    static abstract T Create(float value);

    static abstract T Load(float* source);

    static abstract void Store(T value, float* destination);

    /// <summary>Widens <see cref="Count"/> bfloat16 values.</summary>
    static abstract T LoadBFloat16(ushort* source);

    /// <summary>Rounds to bfloat16, ties to even; NaN stays NaN.</summary>
    static abstract void StoreBFloat16(T value, ushort* destination);

    /// <summary>Widens <see cref="Count"/> IEEE half precision values.</summary>
    static abstract T LoadFloat16(ushort* source);

    /// <summary>Converts <see cref="Count"/> signed bytes.</summary>
    static abstract T LoadInt8(sbyte* source);

    /// <summary><c>a * b + c</c>, rounded once where the machine has such an instruction, twice where not: emulating it
    /// would be a hundred times slower.</summary>
    static abstract T FusedMultiplyAdd(T a, T b, T c);

    /// <summary>The larger one; of NaN and a number, <paramref name="b"/> or NaN.</summary>
    static abstract T Max(T a, T b);

    static abstract T Min(T a, T b);

    static abstract T Sqrt(T a);

    static abstract T Log2(T a);

    /// <summary>Whether <see cref="Fraction"/> and <see cref="ScaleByPowerOfTwo"/> are an instruction each; they exist
    /// only then.</summary>
    static virtual bool HasFractionInstruction => false;

    /// <summary><c>a - floor(a)</c>; 1 where that is the nearest float.</summary>
    static virtual T Fraction(T a) => throw new NotSupportedException();

    /// <summary><c>a * 2^floor(n)</c>; 0 where the result underflows.</summary>
    static virtual T ScaleByPowerOfTwo(T a, T n) => throw new NotSupportedException();

    /// <summary>The float whose sign and exponent are the last nine bits of a, and whose mantissa is 0.</summary>
    static abstract T ShiftToExponent(T a);

    /// <summary><c>a >= b ? ifTrue : ifFalse</c> per lane; false for NaN.</summary>
    static abstract T SelectGreaterOrEqual(T a, T b, T ifTrue, T ifFalse);

    /// <summary>Sum of the lanes, always in the same order.</summary>
    static abstract float Sum(T a);

    /// <summary><c>destination[n] = Sum</c> of each of four registers, with the same bits as <see cref="Sum"/>; fewer
    /// instructions than four sums.</summary>
    static abstract void StoreSums(T a, T b, T c, T d, float* destination);

    /// <summary>Largest lane.</summary>
    static abstract float MaxElement(T a);

    /// <summary><c>destination[c][r] = source[r][c] * factor</c> for a square of <see cref="Count"/> rows and
    /// columns.</summary>
    static abstract void Transpose(float* source, nint sourceStride, float* destination,
        nint destinationStride, T factor);
}
