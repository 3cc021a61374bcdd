using System.Numerics;

namespace S2ILGPU.TestSupport.Ptx;

// Conditions of setp: the plain ones are false when an operand is NaN, those with Unordered are true then.

internal readonly struct Equal<T> : ICondition<T> where T : IEqualityOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a == b;
}

/// <summary>False for NaN.</summary>
internal readonly struct NotEqual<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a < b || a > b;
}

internal readonly struct Less<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a < b;
}

internal readonly struct LessOrEqual<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a <= b;
}

internal readonly struct Greater<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a > b;
}

internal readonly struct GreaterOrEqual<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a >= b;
}

internal readonly struct EqualUnordered<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => !(a < b || a > b);
}

/// <summary>True for NaN.</summary>
internal readonly struct NotEqualUnordered<T> : ICondition<T> where T : IEqualityOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => a != b;
}

internal readonly struct LessUnordered<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => !(a >= b);
}

internal readonly struct LessOrEqualUnordered<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => !(a > b);
}

internal readonly struct GreaterUnordered<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => !(a <= b);
}

internal readonly struct GreaterOrEqualUnordered<T> : ICondition<T> where T : IComparisonOperators<T, T, bool>
{
    public static bool Holds(T a, T b) => !(a < b);
}

/// <summary><c>testp</c>: a property of the first value; the second is not looked at.</summary>
internal readonly struct IsFinite<T> : ICondition<T> where T : INumberBase<T>
{
    public static bool Holds(T a, T b) => T.IsFinite(a);
}

internal readonly struct IsInfinite<T> : ICondition<T> where T : INumberBase<T>
{
    public static bool Holds(T a, T b) => T.IsInfinity(a);
}

internal readonly struct IsNotANumber<T> : ICondition<T> where T : INumberBase<T>
{
    public static bool Holds(T a, T b) => T.IsNaN(a);
}
