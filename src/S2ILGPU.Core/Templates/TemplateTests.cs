namespace S2ILGPU.Templates;

/// <summary>What can follow <c>is</c>.</summary>
internal static class TemplateTests
{
    private static readonly Dictionary<string, Func<object?, CallArguments, bool>> s_tests = new()
    {
        ["defined"] = (v, a) => v is not Undefined,
        ["undefined"] = (v, a) => v is Undefined,
        ["none"] = (v, a) => v is null,
        ["string"] = (v, a) => v is string,
        ["number"] = (v, a) => v is long or double or bool,
        ["integer"] = (v, a) => v is long,
        ["float"] = (v, a) => v is double,
        ["boolean"] = (v, a) => v is bool,
        ["true"] = (v, a) => v is true,
        ["false"] = (v, a) => v is false,
        ["mapping"] = (v, a) => v is OrderedDictionary<object, object?>,
        ["sequence"] = (v, a) => v is string or OrderedDictionary<object, object?> or IReadOnlyList<object?>,
        ["iterable"] = (v, a) => v is string or OrderedDictionary<object, object?> or IReadOnlyList<object?>,
        ["callable"] = (v, a) => v is Callable,
        ["odd"] = (v, a) => Integer(v) % 2 != 0,
        ["even"] = (v, a) => Integer(v) % 2 == 0,
        ["divisibleby"] = (v, a) => a.Integer(0, "num", 0) is not 0 and var n ? Integer(v) % n == 0
            : throw new TemplateException("division by zero"),
        ["eq"] = (v, a) => TemplateArithmetic.AreEqual(v, a[0, "other"]),
        ["equalto"] = (v, a) => TemplateArithmetic.AreEqual(v, a[0, "other"]),
        ["ne"] = (v, a) => !TemplateArithmetic.AreEqual(v, a[0, "other"]),
        ["lt"] = (v, a) => TemplateArithmetic.Order(v, a[0, "other"]) < 0,
        ["le"] = (v, a) => TemplateArithmetic.Order(v, a[0, "other"]) <= 0,
        ["gt"] = (v, a) => TemplateArithmetic.Order(v, a[0, "other"]) > 0,
        ["ge"] = (v, a) => TemplateArithmetic.Order(v, a[0, "other"]) >= 0,
        ["in"] = (v, a) => TemplateArithmetic.Contains(a[0, "seq"], v),
        ["upper"] = (v, a) => v is string s && s == s.ToUpperInvariant() && s.Any(char.IsLetter),
        ["lower"] = (v, a) => v is string s && s == s.ToLowerInvariant() && s.Any(char.IsLetter),
    };

    /// <summary>A test; null where there is none of that name.</summary>
    public static Func<object?, CallArguments, bool>? Find(string name) => s_tests.GetValueOrDefault(name);

    private static long Integer(object? value) => TemplateValues.Number(value) is long integer ? integer
        : throw new TemplateException($"{TemplateValues.KindOf(value)} is not an integer");
}
