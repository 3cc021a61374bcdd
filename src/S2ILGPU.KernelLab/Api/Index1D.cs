namespace ILGPU;

/// <summary>A one-dimensional index or extent.</summary>
/// <param name="x">The only coordinate.</param>
public readonly struct Index1D(int x) : IIndex, IEquatable<Index1D>
{
    /// <summary>The coordinate.</summary>
    public int X { get; } = x;

    /// <summary>The coordinate as an extent.</summary>
    public int Size => X;

    long IIndex.Size => X;

    /// <summary>The coordinate.</summary>
    /// <param name="idx">The index.</param>
    public static implicit operator int(Index1D idx) => idx.X;

    /// <summary>An index with this coordinate.</summary>
    /// <param name="idx">The coordinate.</param>
    public static implicit operator Index1D(int idx) => new(idx);

    /// <summary>The wide form.</summary>
    /// <param name="index">The index.</param>
    public static implicit operator LongIndex1D(Index1D index) => new(index.X);

    /// <summary>Equality of the coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(Index1D first, Index1D second) => first.X == second.X;

    /// <summary>Inequality of the coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(Index1D first, Index1D second) => first.X != second.X;

    IIndex IIndex.FromLinear(int number) => new Index1D(number);

    /// <inheritdoc/>
    public bool Equals(Index1D other) => X == other.X;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Index1D other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => X;

    /// <inheritdoc/>
    public override string ToString() => $"({X})";
}
