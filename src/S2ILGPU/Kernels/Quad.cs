using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>Four neighbouring elements of a row in a thread's registers: what a thread reads, computes and writes at a
/// time. In float32, however memory keeps them.</summary>
internal struct Quad
{
    /// <summary>Elements of a quad.</summary>
    public const int Count = 4;

    public float X, Y, Z, W;

    /// <summary>The sum of the elements.</summary>
    public readonly float Sum => X + Y + (Z + W);

    /// <summary>Reads the elements from an index on; those past the end of the row are 0.</summary>
    /// <param name="memory">The memory underneath.</param>
    /// <param name="index">The first element.</param>
    /// <param name="left">Elements of the row from the first on.</param>
    /// <param name="isAligned">Whether the index is a multiple of 4 (1): one load instead of four.</param>
    public static Quad Load<TStored>(ArrayView<int> memory, long index, long left, int isAligned)
        where TStored : struct, IStoredElement
    {
        if (isAligned != 0 && left >= Count)
            return TStored.LoadQuad(memory, index >> 2);
        var quad = new Quad();
        if (left > 0)
            quad.X = TStored.Load(memory, index);
        if (left > 1)
            quad.Y = TStored.Load(memory, index + 1);
        if (left > 2)
            quad.Z = TStored.Load(memory, index + 2);
        if (left > 3)
            quad.W = TStored.Load(memory, index + 3);
        return quad;
    }

    /// <summary>Writes the elements, without those past the end of the row.</summary>
    /// <remarks>Elements of 16 bits are stored one by one where rows lie at odd places: devices write single half
    /// words, so the neighbour in the same word may belong to another thread.</remarks>
    public readonly void Store<TStored>(ArrayView<int> memory, long index, long left, int isAligned)
        where TStored : struct, IStoredElement
    {
        if (isAligned != 0 && left >= Count)
        {
            TStored.StoreQuad(memory, index >> 2, this);
            return;
        }
        if (left > 0)
            TStored.Store(memory, index, X);
        if (left > 1)
            TStored.Store(memory, index + 1, Y);
        if (left > 2)
            TStored.Store(memory, index + 2, Z);
        if (left > 3)
            TStored.Store(memory, index + 3, W);
    }

    /// <summary>A function of each element.</summary>
    public readonly Quad Map<TFunction>() where TFunction : struct, IElementFunction =>
        new() { X = TFunction.Of(X), Y = TFunction.Of(Y), Z = TFunction.Of(Z), W = TFunction.Of(W) };

    /// <summary>Each element between two limits; an infinity is NaN.</summary>
    public readonly Quad Clamp(float low, float high) =>
        new() { X = Clamp(X, low, high), Y = Clamp(Y, low, high), Z = Clamp(Z, low, high), W = Clamp(W, low, high) };

    /// <summary>1 for each element between two limits, 0 for the others; NaN for NaN and infinity.</summary>
    public readonly Quad IsWithin(float low, float high) => new()
    {
        X = IsWithin(X, low, high), Y = IsWithin(Y, low, high), Z = IsWithin(Z, low, high), W = IsWithin(W, low, high),
    };

    /// <summary><c>this + factor x</c></summary>
    public readonly Quad AddScaled(float factor, Quad x) =>
        new() { X = X + factor * x.X, Y = Y + factor * x.Y, Z = Z + factor * x.Z, W = W + factor * x.W };

    public static Quad operator +(Quad a, Quad b) =>
        new() { X = a.X + b.X, Y = a.Y + b.Y, Z = a.Z + b.Z, W = a.W + b.W };

    public static Quad operator -(Quad a, Quad b) =>
        new() { X = a.X - b.X, Y = a.Y - b.Y, Z = a.Z - b.Z, W = a.W - b.W };

    public static Quad operator *(Quad a, Quad b) =>
        new() { X = a.X * b.X, Y = a.Y * b.Y, Z = a.Z * b.Z, W = a.W * b.W };

    public static Quad operator /(Quad a, Quad b) =>
        new() { X = a.X / b.X, Y = a.Y / b.Y, Z = a.Z / b.Z, W = a.W / b.W };

    public static Quad operator +(Quad a, float b) => new() { X = a.X + b, Y = a.Y + b, Z = a.Z + b, W = a.W + b };

    public static Quad operator *(Quad a, float b) => new() { X = a.X * b, Y = a.Y * b, Z = a.Z * b, W = a.W * b };

    // 0 times an infinity is NaN.
    private static float Clamp(float x, float low, float high) => (x > high ? high : x < low ? low : x) + x * 0;

    private static float IsWithin(float x, float low, float high) => (x >= low && x <= high ? 1 : 0) + x * 0;
}

/// <summary>A function of a number.</summary>
internal interface IElementFunction
{
    /// <summary>Its value.</summary>
    static abstract float Of(float x);
}
