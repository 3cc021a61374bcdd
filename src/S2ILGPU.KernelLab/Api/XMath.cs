namespace ILGPU.Algorithms;

/// <summary>Functions that ILGPU.Algorithms brings to every device. Here they are .NET's, which differ from a device's by its rounding.</summary>
public static class XMath
{
    /// <summary>Pi.</summary>
    public const float PI = 3.14159265f;

    /// <summary>e.</summary>
    public const float E = 2.71828182f;

    /// <summary>The natural logarithm of 2.</summary>
    public const float Ln2 = 0.69314718f;

    /// <summary>The binary logarithm of e.</summary>
    public const float Log2E = 1.44269504f;
    /// <summary>e to the power of the argument.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Exp(float value) => MathF.Exp(value);

    /// <summary>e to the power of the argument.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Exp(double value) => Math.Exp(value);

    /// <summary>The natural logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Log(float value) => MathF.Log(value);

    /// <summary>The natural logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Log(double value) => Math.Log(value);

    /// <summary>The binary logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Log2(float value) => MathF.Log2(value);

    /// <summary>The binary logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Log2(double value) => Math.Log2(value);

    /// <summary>The decimal logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Log10(float value) => MathF.Log10(value);

    /// <summary>The decimal logarithm.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Log10(double value) => Math.Log10(value);

    /// <summary>The square root.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Sqrt(float value) => MathF.Sqrt(value);

    /// <summary>The square root.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Sqrt(double value) => Math.Sqrt(value);

    /// <summary>The sine.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Sin(float value) => MathF.Sin(value);

    /// <summary>The sine.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Sin(double value) => Math.Sin(value);

    /// <summary>The cosine.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Cos(float value) => MathF.Cos(value);

    /// <summary>The cosine.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Cos(double value) => Math.Cos(value);

    /// <summary>The tangent.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Tan(float value) => MathF.Tan(value);

    /// <summary>The tangent.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Tan(double value) => Math.Tan(value);

    /// <summary>The hyperbolic tangent.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Tanh(float value) => MathF.Tanh(value);

    /// <summary>The hyperbolic tangent.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Tanh(double value) => Math.Tanh(value);

    /// <summary>The greatest integer that is not greater.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Floor(float value) => MathF.Floor(value);

    /// <summary>The greatest integer that is not greater.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Floor(double value) => Math.Floor(value);

    /// <summary>The least integer that is not less.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Ceiling(float value) => MathF.Ceiling(value);

    /// <summary>The least integer that is not less.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Ceiling(double value) => Math.Ceiling(value);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Abs(float value) => MathF.Abs(value);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Abs(double value) => Math.Abs(value);

    /// <summary>2 to the power of the argument.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Exp2(float value) => MathF.Pow(2f, value);

    /// <summary>2 to the power of the argument.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Exp2(double value) => Math.Pow(2.0, value);

    /// <summary>The reciprocal of the square root.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Rsqrt(float value) => 1f / MathF.Sqrt(value);

    /// <summary>The reciprocal of the square root.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Rsqrt(double value) => 1.0 / Math.Sqrt(value);

    /// <summary>The reciprocal.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static float Rcp(float value) => 1f / value;

    /// <summary>The reciprocal.</summary>
    /// <param name="value">The argument.</param>
    /// <returns>The result.</returns>
    public static double Rcp(double value) => 1.0 / value;

    /// <summary>A power.</summary>
    /// <param name="base">The base.</param>
    /// <param name="exp">The exponent.</param>
    /// <returns>The result.</returns>
    public static float Pow(float @base, float exp) => MathF.Pow(@base, exp);

    /// <summary>A power.</summary>
    /// <param name="base">The base.</param>
    /// <param name="exp">The exponent.</param>
    /// <returns>The result.</returns>
    public static double Pow(double @base, double exp) => Math.Pow(@base, exp);

    /// <summary>Whether it is not a number.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsNaN(float value) => float.IsNaN(value);

    /// <summary>Whether it is infinite.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsInfinity(float value) => float.IsInfinity(value);

    /// <summary>Whether it is neither infinite nor NaN.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsFinite(float value) => float.IsFinite(value);

    /// <summary>Whether it is not a number.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsNaN(double value) => double.IsNaN(value);

    /// <summary>Whether it is infinite.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsInfinity(double value) => double.IsInfinity(value);

    /// <summary>Whether it is neither infinite nor NaN.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The result.</returns>
    public static bool IsFinite(double value) => double.IsFinite(value);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static float Min(float first, float second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static float Max(float first, float second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static float Clamp(float value, float min, float max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static double Min(double first, double second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static double Max(double first, double second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static double Clamp(double value, double min, double max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static int Min(int first, int second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static int Max(int first, int second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static int Clamp(int value, int min, int max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static long Min(long first, long second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static long Max(long first, long second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static long Clamp(long value, long min, long max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The quotient, rounded up.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static int DivRoundUp(int numerator, int denominator) => (numerator + denominator - 1) / denominator;

    /// <summary>The quotient, rounded up.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static long DivRoundUp(long numerator, long denominator) => (numerator + denominator - 1) / denominator;
}
