namespace ILGPU;

/// <summary>A 16-bit IEEE number; arithmetic is done in float and rounded.</summary>
public readonly struct Half : IEquatable<Half>
{
    internal Half(ushort bits) => Bits = bits;

    internal ushort Bits { get; }

    /// <summary>The number as float, exactly.</summary>
    /// <param name="halfValue">The number.</param>
    public static implicit operator float(Half halfValue) => (float)BitConverter.UInt16BitsToHalf(halfValue.Bits);

    /// <summary>The number as double, exactly.</summary>
    /// <param name="halfValue">The number.</param>
    public static implicit operator double(Half halfValue) => (double)BitConverter.UInt16BitsToHalf(halfValue.Bits);

    /// <summary>The nearest half, ties to even.</summary>
    /// <param name="floatValue">The number.</param>
    public static explicit operator Half(float floatValue) => new(BitConverter.HalfToUInt16Bits((System.Half)floatValue));

    /// <summary>The nearest half, ties to even.</summary>
    /// <param name="doubleValue">The number.</param>
    public static explicit operator Half(double doubleValue) => new(BitConverter.HalfToUInt16Bits((System.Half)doubleValue));

    /// <summary>The negative.</summary>
    /// <param name="halfValue">The number.</param>
    /// <returns>The same with the other sign.</returns>
    public static Half operator -(Half halfValue) => new((ushort)(halfValue.Bits ^ 0x8000));

    /// <summary>The sum, rounded.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>The sum.</returns>
    public static Half operator +(Half first, Half second) => (Half)((float)first + second);

    /// <summary>The difference, rounded.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>The difference.</returns>
    public static Half operator -(Half first, Half second) => (Half)((float)first - second);

    /// <summary>The product, rounded.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>The product.</returns>
    public static Half operator *(Half first, Half second) => (Half)((float)first * second);

    /// <summary>The quotient, rounded.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>The quotient.</returns>
    public static Half operator /(Half first, Half second) => (Half)((float)first / second);

    /// <summary>Whether they are equal.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(Half first, Half second) => (float)first == second;

    /// <summary>Whether they differ.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(Half first, Half second) => (float)first != second;

    /// <summary>Whether the first is less.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether the first is less.</returns>
    public static bool operator <(Half first, Half second) => (float)first < second;

    /// <summary>Whether the first is not greater.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether the first is not greater.</returns>
    public static bool operator <=(Half first, Half second) => (float)first <= second;

    /// <summary>Whether the first is greater.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether the first is greater.</returns>
    public static bool operator >(Half first, Half second) => (float)first > second;

    /// <summary>Whether the first is not less.</summary>
    /// <param name="first">The first number.</param>
    /// <param name="second">The second number.</param>
    /// <returns>Whether the first is not less.</returns>
    public static bool operator >=(Half first, Half second) => (float)first >= second;

    /// <inheritdoc/>
    public bool Equals(Half other) => this == other;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Half other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Bits;

    /// <inheritdoc/>
    public override string ToString() => ((float)this).ToString();
}
