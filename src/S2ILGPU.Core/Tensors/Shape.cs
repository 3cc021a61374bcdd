using System.Diagnostics.CodeAnalysis;

namespace S2ILGPU.Tensors;

/// <summary>Up to four extents (or four strides), outermost first; a value without heap memory.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The most dimensions a shape can have.</summary>
    public const int MaxRank = 4;

    // So that a size in bytes never overflows, whatever the element type.
    private const ulong MaxCount = long.MaxValue / sizeof(double);

    private readonly int _d0, _d1, _d2, _d3;

    /// <summary>Creates a shape of the given extents.</summary>
    /// <param name="extents">One to four extents, outermost first, none negative.</param>
    /// <exception cref="ArgumentException">There are more than four extents, or one is negative.</exception>
    public Shape(params ReadOnlySpan<int> extents)
    {
        if (extents.Length > MaxRank)
            throw new ArgumentException($"a shape has at most {MaxRank} dimensions, got {extents.Length}");
        foreach (int extent in extents)
            if (extent < 0)
                throw new ArgumentException($"an extent is negative: [{string.Join(", ", extents.ToArray())}]");
        Rank = extents.Length;
        if (Rank > 0) _d0 = extents[0];
        if (Rank > 1) _d1 = extents[1];
        if (Rank > 2) _d2 = extents[2];
        if (Rank > 3) _d3 = extents[3];
    }

    /// <summary>Number of dimensions, 0 to 4.</summary>
    public int Rank { get; }

    /// <summary>The extent of a dimension; a negative index counts from the end.</summary>
    /// <param name="dimension">-Rank to Rank exclusive.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such dimension.</exception>
    public int this[int dimension]
    {
        get
        {
            int d = dimension < 0 ? dimension + Rank : dimension;
            if ((uint)d >= (uint)Rank)
                throw new ArgumentOutOfRangeException(nameof(dimension),
                    $"dimension {dimension} of a shape of rank {Rank}");
            return d switch { 0 => _d0, 1 => _d1, 2 => _d2, _ => _d3 };
        }
    }

    /// <summary>Number of elements; 1 for rank 0.</summary>
    /// <exception cref="ShapeException">There are 2^60 elements or more, whose bytes no 64-bit number
    /// counts.</exception>
    public long Count
    {
        get
        {
            ulong high = Math.BigMul(ExtentOrOne(0) * ExtentOrOne(1), ExtentOrOne(2) * ExtentOrOne(3), out ulong count);
            return high == 0 && count <= MaxCount ? (long)count
                : throw new ShapeException(nameof(Shape), "the product of all extents", $"at most {MaxCount}",
                ToString());
        }
    }

    /// <summary>The same shape with one extent replaced.</summary>
    /// <param name="dimension">The dimension; a negative index counts from the end.</param>
    /// <param name="extent">The new extent.</param>
    public Shape With(int dimension, int extent)
    {
        Span<int> extents = stackalloc int[Rank];
        CopyTo(extents);
        extents[dimension < 0 ? dimension + Rank : dimension] = extent;
        return new Shape(extents);
    }

    /// <summary>Copies the extents.</summary>
    /// <param name="destination">At least <see cref="Rank"/> long.</param>
    public void CopyTo(Span<int> destination)
    {
        for (int d = 0; d < Rank; d++)
            destination[d] = this[d];
    }

    private ulong ExtentOrOne(int dimension) => dimension < Rank ? (ulong)this[dimension] : 1;

    /// <inheritdoc/>
    public bool Equals(Shape other) =>
        Rank == other.Rank && _d0 == other._d0 && _d1 == other._d1 && _d2 == other._d2 && _d3 == other._d3;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, _d0, _d1, _d2, _d3);

    /// <summary>The extents in brackets, as in <c>[2, 128, 8, 64]</c>.</summary>
    public override string ToString()
    {
        Span<int> extents = stackalloc int[Rank];
        CopyTo(extents);
        return $"[{string.Join(", ", extents.ToArray())}]";
    }

    /// <summary>Whether two shapes have the same extents.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether two shapes differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);
}
