using System.Numerics;

namespace S2ILGPU.Templates;

/// <summary>Operators of templates, as Python has them.</summary>
internal static class TemplateArithmetic
{
    private const int MaxLength = 1 << 24;

    /// <summary>The result of an operator.</summary>
    /// <exception cref="TemplateException">The operands do not fit, or the result is out of range.</exception>
    public static object? Calculate(string name, object? left, object? right)
    {
        (left, right) = name == "~" ? (TemplateValues.Text(left), TemplateValues.Text(right))
            : (TemplateValues.Number(left), TemplateValues.Number(right));
        try
        {
            return (name, left, right) switch
            {
                ("~" or "+", string a, string b) => Checked(a, b),
                ("+", IReadOnlyList<object?> a, IReadOnlyList<object?> b) => new List<object?>([.. a, .. b]),
                ("*", string a, long n) => Repeated(a, n),
                ("*", long n, string a) => Repeated(a, n),
                (_, long a, long b) => Integers(name, a, b),
                (_, long a, double b) => Numbers(name, a, b),
                (_, double a, long b) => Numbers(name, a, b),
                (_, double a, double b) => Numbers(name, a, b),
                _ => throw new TemplateException(
                    $"'{name}' of {TemplateValues.KindOf(left)} and {TemplateValues.KindOf(right)}"),
            };
        }
        catch (OverflowException)
        {
            throw new TemplateException($"the result of '{name}' of {left} and {right} is too large");
        }
    }

    /// <summary>Whether a comparison holds.</summary>
    /// <exception cref="TemplateException">The operands have no order, or cannot contain anything.</exception>
    public static bool Compare(string name, object? left, object? right) => name switch
    {
        "==" => AreEqual(left, right),
        "!=" => !AreEqual(left, right),
        "in" => Contains(right, left),
        "not in" => !Contains(right, left),
        "<" => Order(left, right) < 0,
        "<=" => Order(left, right) <= 0,
        ">" => Order(left, right) > 0,
        _ => Order(left, right) >= 0,
    };

    /// <summary>Whether two values are equal, element by element.</summary>
    public static bool AreEqual(object? left, object? right) =>
        (TemplateValues.Number(left), TemplateValues.Number(right)) switch
    {
        (long a, double b) => a == b,
        (double a, long b) => a == b,
        (Undefined, Undefined) => true,
        (IReadOnlyList<object?> a, IReadOnlyList<object?> b) => a.Count == b.Count
            && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (OrderedDictionary<object, object?> a, OrderedDictionary<object, object?> b) => a.Count == b.Count
            && a.All(entry => b.TryGetValue(entry.Key, out object? other) && AreEqual(entry.Value, other)),
        var (a, b) => Equals(a, b),
    };

    /// <summary>Below 0 where the left value comes first.</summary>
    public static int Order(object? left, object? right) =>
        (TemplateValues.Number(left), TemplateValues.Number(right)) switch
    {
        (long a, long b) => a.CompareTo(b),
        (long a, double b) => ((double)a).CompareTo(b),
        (double a, long b) => a.CompareTo(b),
        (double a, double b) => a.CompareTo(b),
        (string a, string b) => string.CompareOrdinal(a, b),
        _ => throw new TemplateException(
            $"{TemplateValues.KindOf(left)} and {TemplateValues.KindOf(right)} have no order"),
    };

    /// <summary>Whether a value is in a list, among the keys of a dictionary, or part of a string.</summary>
    public static bool Contains(object? container, object? item) => (container, item) switch
    {
        (string text, string part) => text.Contains(part, StringComparison.Ordinal),
        (string, _) => throw new TemplateException($"{TemplateValues.KindOf(item)} cannot be in a string"),
        (OrderedDictionary<object, object?> dictionary, not null) => dictionary.ContainsKey(item),
        (OrderedDictionary<object, object?>, null) => false,
        (Undefined, _) => false,
        _ => TemplateValues.Items(container, "what is searched").Any(other => AreEqual(other, item)),
    };

    private static object Integers(string name, long a, long b) => name switch
    {
        "+" => checked(a + b),
        "-" => checked(a - b),
        "*" => checked(a * b),
        "**" when b >= 0 => checked((long)BigInteger.Pow(a, (int)Math.Min(b, 64))),
        "//" or "%" when b == 0 => throw new TemplateException("division by zero"),
        "//" => checked(a / b) - (a % b != 0 && a < 0 != b < 0 ? 1 : 0),
        "%" => b == -1 ? 0L : (a % b + b) % b,
        _ => Numbers(name, a, b),
    };

    private static object Numbers(string name, double a, double b) => name switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "**" => Math.Pow(a, b),
        "/" or "//" or "%" when b == 0 => throw new TemplateException("division by zero"),
        "/" => a / b,
        "//" => Math.Floor(a / b),
        "%" => a - b * Math.Floor(a / b),
        _ => throw new TemplateException($"'{name}' of numbers"),
    };

    private static string Checked(string a, string b) => a.Length + b.Length <= MaxLength ? a + b
        : throw new TemplateException($"a string of more than {MaxLength} characters");

    private static string Repeated(string text, long count) => count <= 0 ? ""
        : Math.BigMul((ulong)text.Length, (ulong)count, out ulong length) == 0 && length <= MaxLength
        ? string.Concat(Enumerable.Repeat(text, (int)count))
        : throw new TemplateException($"a string of more than {MaxLength} characters");
}
