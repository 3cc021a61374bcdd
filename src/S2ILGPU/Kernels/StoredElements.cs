using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels;

/// <summary>How elements that a kernel reads lie in memory that is seen as 32-bit words.</summary>
internal interface IReadElement
{
    /// <summary>Whether what is read must be multiplied by a scale of its row.</summary>
    static abstract bool HasScales { get; }

    /// <summary>Reads an element as single precision.</summary>
    static abstract float Load(ArrayView<int> memory, long index);
}

/// <summary>How a float type lies in such memory. Kernels that take any float type are generic over it.</summary>
internal interface IStoredElement : IReadElement
{
    /// <summary>Writes an element, rounding to nearest even.</summary>
    static abstract void Store(ArrayView<int> memory, long index, float value);

    /// <summary>Reads the elements 4 n to 4 n + 3 in one load.</summary>
    static abstract Quad LoadQuad(ArrayView<int> memory, long n);

    /// <summary>Writes the elements 4 n to 4 n + 3 in one store, rounding to nearest even.</summary>
    static abstract void StoreQuad(ArrayView<int> memory, long n, Quad elements);
}

/// <summary>Single precision. Copies keep every bit, so it also carries 32-bit integers.</summary>
internal readonly struct StoredSingle : IStoredElement
{
    public static bool HasScales => false;

    public static float Load(ArrayView<int> memory, long index) => Interop.IntAsFloat((uint)memory[index]);

    public static void Store(ArrayView<int> memory, long index, float value) =>
        memory[index] = (int)Interop.FloatAsInt(value);

    public static Quad LoadQuad(ArrayView<int> memory, long n) => memory.Cast<Quad>()[n];

    public static void StoreQuad(ArrayView<int> memory, long n, Quad elements) => memory.Cast<Quad>()[n] = elements;
}

/// <summary>bfloat16, the upper half of a single.</summary>
internal readonly struct StoredBFloat16 : IStoredElement
{
    public static bool HasScales => false;

    public static float Load(ArrayView<int> memory, long index) =>
        Interop.IntAsFloat((uint)memory.Cast<ushort>()[index] << 16);

    public static void Store(ArrayView<int> memory, long index, float value) =>
        memory.Cast<ushort>()[index] = Round(value);

    public static Quad LoadQuad(ArrayView<int> memory, long n)
    {
        var pairs = memory.Cast<U2>()[n];
        return new Quad
        {
            X = Interop.IntAsFloat(pairs.X << 16),
            Y = Interop.IntAsFloat(pairs.X & 0xffff0000),
            Z = Interop.IntAsFloat(pairs.Y << 16),
            W = Interop.IntAsFloat(pairs.Y & 0xffff0000),
        };
    }

    public static void StoreQuad(ArrayView<int> memory, long n, Quad elements) => memory.Cast<U2>()[n] = new U2
    {
        X = Round(elements.X) | (uint)Round(elements.Y) << 16,
        Y = Round(elements.Z) | (uint)Round(elements.W) << 16,
    };

    /// <summary>The bits of the nearest bfloat16; NaN stays NaN.</summary>
    public static ushort Round(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
        return (ushort)(isNaN ? bits >> 16 | 0x40 : bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }
}

/// <summary>IEEE half precision, converted with integer arithmetic: OpenCL devices need no half type, and denormals are
/// exact whatever the device does with them.</summary>
internal readonly struct StoredHalf : IStoredElement
{
    // 2^-14, and 65520, from where halves round to infinity
    private const uint SmallestNormal = 0x38800000, Infinity = 0x477ff000;

    public static bool HasScales => false;

    public static float Load(ArrayView<int> memory, long index) => Widen(memory.Cast<ushort>()[index]);

    public static void Store(ArrayView<int> memory, long index, float value) =>
        memory.Cast<ushort>()[index] = Round(value);

    public static Quad LoadQuad(ArrayView<int> memory, long n)
    {
        var pairs = memory.Cast<U2>()[n];
        return new Quad
        {
            X = Widen((ushort)pairs.X),
            Y = Widen((ushort)(pairs.X >> 16)),
            Z = Widen((ushort)pairs.Y),
            W = Widen((ushort)(pairs.Y >> 16)),
        };
    }

    public static void StoreQuad(ArrayView<int> memory, long n, Quad elements) => memory.Cast<U2>()[n] = new U2
    {
        X = Round(elements.X) | (uint)Round(elements.Y) << 16,
        Y = Round(elements.Z) | (uint)Round(elements.W) << 16,
    };

    /// <summary>The value of a half.</summary>
    public static float Widen(ushort half)
    {
        uint sign = (uint)(half & 0x8000) << 16, exponent = (uint)half >> 10 & 0x1f, mantissa = (uint)half & 0x3ff;
        if (exponent == 0) // mantissa * 2^-24
            return Interop.IntAsFloat(Interop.FloatAsInt((int)mantissa * 5.9604644775390625e-8f) | sign);
        uint wide = exponent == 0x1f ? 0xffu : exponent + 112;
        return Interop.IntAsFloat(sign | wide << 23 | mantissa << 13);
    }

    /// <summary>The bits of the nearest half; NaN stays NaN.</summary>
    public static ushort Round(float value)
    {
        uint bits = Interop.FloatAsInt(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000)
            return (ushort)(sign | 0x7e00);
        if (magnitude >= Infinity)
            return (ushort)(sign | 0x7c00);
        // in [0.5, 1) a unit in the last place is 2^-24: the addition rounds to multiples of it
        if (magnitude < SmallestNormal)
            return (ushort)(sign | Interop.FloatAsInt(Interop.IntAsFloat(magnitude) + 0.5f) - 0x3f000000);
        return (ushort)(sign | magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1) >> 13);
    }
}
