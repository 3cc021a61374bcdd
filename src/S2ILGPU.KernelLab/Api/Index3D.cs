namespace ILGPU;

/// <summary>A three-dimensional index or extent.</summary>
/// <param name="x">The X coordinate, the fastest.</param>
/// <param name="y">The Y coordinate.</param>
/// <param name="z">The Z coordinate.</param>
public readonly struct Index3D(int x, int y, int z) : IIndex, IEquatable<Index3D>
{
    /// <summary>The X coordinate.</summary>
    public int X { get; } = x;

    /// <summary>The Y coordinate.</summary>
    public int Y { get; } = y;

    /// <summary>The Z coordinate.</summary>
    public int Z { get; } = z;

    /// <summary>The product of the coordinates.</summary>
    public int Size => checked(X * Y * Z);

    /// <summary>The product of the coordinates.</summary>
    public long LongSize => (long)X * (long)Y * (long)Z;

    long IIndex.Size => LongSize;

    /// <summary>An index from a tuple.</summary>
    /// <param name="values">The coordinates.</param>
    public static implicit operator Index3D((int, int, int) values) => new(values.Item1, values.Item2, values.Item3);

    /// <summary>Equality of all coordinates.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(Index3D first, Index3D second) => first.Equals(second);

    /// <summary>Inequality of any coordinate.</summary>
    /// <param name="first">One index.</param>
    /// <param name="second">Another.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(Index3D first, Index3D second) => !first.Equals(second);

    IIndex IIndex.FromLinear(int number) => new Index3D(number % X, number / X % Y, number / (X * Y));

    /// <summary>Takes the index apart.</summary>
    /// <param name="x">X.</param>
    /// <param name="y">Y.</param>
    /// <param name="z">Z.</param>
    public void Deconstruct(out int x, out int y, out int z) => (x, y, z) = (X, Y, Z);

    /// <inheritdoc/>
    public bool Equals(Index3D other) => X == other.X && Y == other.Y && Z == other.Z;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Index3D other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(X, Y, Z);

    /// <inheritdoc/>
    public override string ToString() => $"({X}, {Y}, {Z})";
}
