namespace ILGPU;

/// <summary>A one-dimensional 64-bit index or extent.</summary>
/// <param name="x">The only coordinate.</param>
public readonly struct LongIndex1D(long x) : IEquatable<LongIndex1D>
{
    /// <summary>The coordinate.</summary>
    public long X { get; } = x;

    /// <summary>The coordinate as an extent.</summary>
    public long Size => X;

    /// <summary>The coordinate.</summary>
    /// <param name="idx">The index.</param>
    public static implicit operator long(LongIndex1D idx) => idx.X;

    /// <summary>An index with this coordinate.</summary>
    /// <param name="idx">The coordinate.</param>
    public static implicit operator LongIndex1D(long idx) => new(idx);

    /// <summary>Equality of the coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(LongIndex1D first, LongIndex1D second) => first.X == second.X;

    /// <summary>Inequality of the coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(LongIndex1D first, LongIndex1D second) => first.X != second.X;

    /// <summary>The narrow form.</summary>
    /// <returns>The index; throws if it does not fit.</returns>
    public Index1D ToIntIndex() => new(checked((int)X));

    /// <inheritdoc/>
    public bool Equals(LongIndex1D other) => X == other.X;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is LongIndex1D other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => X.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => $"({X})";
}
