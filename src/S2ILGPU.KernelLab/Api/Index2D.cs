namespace ILGPU;

/// <summary>A two-dimensional index or extent.</summary>
/// <param name="x">The X coordinate, the fastest.</param>
/// <param name="y">The Y coordinate.</param>
public readonly struct Index2D(int x, int y) : IIndex, IEquatable<Index2D>
{
    /// <summary>The X coordinate.</summary>
    public int X { get; } = x;

    /// <summary>The Y coordinate.</summary>
    public int Y { get; } = y;

    /// <summary>The product of the coordinates.</summary>
    public int Size => checked(X * Y);

    /// <summary>The product of the coordinates.</summary>
    public long LongSize => (long)X * (long)Y;

    long IIndex.Size => LongSize;

    /// <summary>An index from a tuple.</summary>
    /// <param name="values">The coordinates.</param>
    public static implicit operator Index2D((int, int) values) => new(values.Item1, values.Item2);

    /// <summary>Equality of all coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(Index2D first, Index2D second) => first.Equals(second);

    /// <summary>Inequality of any coordinate.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(Index2D first, Index2D second) => !first.Equals(second);

    IIndex IIndex.FromLinear(int number) => new Index2D(number % X, number / X);

    /// <summary>Takes the index apart.</summary>
    /// <param name="x">X.</param>
    /// <param name="y">Y.</param>
    public void Deconstruct(out int x, out int y) => (x, y) = (X, Y);

    /// <inheritdoc/>
    public bool Equals(Index2D other) => X == other.X && Y == other.Y;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Index2D other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(X, Y);

    /// <inheritdoc/>
    public override string ToString() => $"({X}, {Y})";
}
