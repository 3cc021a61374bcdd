using System.Globalization;

namespace S2ILGPU.Templates;

/// <summary>What can follow <c>|</c>.</summary>
internal static class TemplateFilters
{
    private static readonly Dictionary<string, Func<object?, CallArguments, object?>> s_filters = new()
    {
        ["trim"] = (v, a) => a[0, "chars"] is string chars ? Text(v).Trim(chars.ToCharArray()) : Text(v).Trim(),
        ["upper"] = (v, a) => Text(v).ToUpperInvariant(),
        ["lower"] = (v, a) => Text(v).ToLowerInvariant(),
        ["capitalize"] = (v, a) => TemplateMethods.Capitalized(Text(v)),
        ["title"] = (v, a) => TemplateMethods.Titled(Text(v), c => char.IsWhiteSpace(c) || "-({[<".Contains(c)),
        ["string"] = (v, a) => Text(v),
        ["safe"] = (v, a) => v,
        ["replace"] = (v, a) => TemplateMethods.Replaced(Text(v), a.Text(0, "old"), a.Text(1, "new"),
            a.Integer(2, "count", -1)),
        ["indent"] = (v, a) => Indented(CallArguments.Of(v).Text(0, "value"), a),
        ["tojson"] = (v, a) => TemplateJson.Write(v, a),
        ["length"] = (v, a) => Length(v),
        ["count"] = (v, a) => Length(v),
        ["default"] = (v, a) => Default(v, a),
        ["d"] = (v, a) => Default(v, a),
        ["int"] = (v, a) => Integer(v, a),
        ["float"] = (v, a) => Float(v, a),
        ["abs"] = (v, a) => TemplateArithmetic.Order(v, 0L) < 0 ? TemplateArithmetic.Calculate("-", 0L, v)
            : TemplateValues.Number(v),
        ["round"] = Rounded,
        ["list"] = (v, a) => Items(v).ToList(),
        ["first"] = (v, a) => Items(v).FirstOrDefault(new Undefined("first")),
        ["last"] = (v, a) => Items(v).LastOrDefault(new Undefined("last")),
        ["join"] = (v, a) => string.Join(Text(a[0, "d", ""]), Attributes(v, a[1, "attribute"]).Select(Text)),
        ["reverse"] = (v, a) => v is string text ? string.Concat(Items(text).Reverse()) : Items(v).Reverse().ToList(),
        ["sort"] = (v, a) => Sorted(v, a),
        ["unique"] = (v, a) => Unique(v),
        ["sum"] = (v, a) => Attributes(v, a[0, "attribute"]).Aggregate(a[1, "start", 0L],
            (sum, item) => TemplateArithmetic.Calculate("+", sum, item)),
        ["min"] = (v, a) => Items(v).Aggregate((x, y) => TemplateArithmetic.Order(y, x) < 0 ? y : x),
        ["max"] = (v, a) => Items(v).Aggregate((x, y) => TemplateArithmetic.Order(y, x) > 0 ? y : x),
        ["items"] = (v, a) => v is Undefined ? new List<object?>() : TemplateMethods.Entries(Dictionary(v)),
        ["dictsort"] = (v, a) => Ordered(TemplateMethods.Entries(Dictionary(v)),
            entry => ((List<object?>)entry!)[0], IgnoringCase, isReversed: false),
        ["map"] = Mapped,
        ["select"] = (v, a) => Chosen(v, a, byAttribute: false, keeps: true),
        ["reject"] = (v, a) => Chosen(v, a, byAttribute: false, keeps: false),
        ["selectattr"] = (v, a) => Chosen(v, a, byAttribute: true, keeps: true),
        ["rejectattr"] = (v, a) => Chosen(v, a, byAttribute: true, keeps: false),
    };

    /// <summary>A filter; null where there is none of that name.</summary>
    public static Func<object?, CallArguments, object?>? Find(string name) => s_filters.GetValueOrDefault(name);

    private static string Text(object? value) => TemplateValues.Text(value);

    private static IEnumerable<object?> Items(object? value) => TemplateValues.Items(value, "what a filter goes over");

    private static OrderedDictionary<object, object?> Dictionary(object? value) =>
        value as OrderedDictionary<object, object?>
        ?? throw new TemplateException($"a dictionary is needed, got {TemplateValues.KindOf(value)}");

    private static object Length(object? value) => value switch
    {
        string text => (long)text.EnumerateRunes().Count(),
        _ => (long)Items(value).Count(),
    };

    private static object? Default(object? value, CallArguments arguments) =>
        value is Undefined || TemplateValues.IsTrue(arguments[1, "boolean", false]) && !TemplateValues.IsTrue(value)
        ? arguments[0, "default_value", ""] : value;

    private static object? Integer(object? value, CallArguments arguments) => TemplateValues.Number(value) switch
    {
        Undefined missing => throw new TemplateException($"'{missing.Name}' is undefined"),
        long integer => integer,
        double number when Math.Abs(number) < long.MaxValue => (long)number,
        string text when long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long parsed) =>
            parsed,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed)
            && Math.Abs(parsed) < long.MaxValue => (long)parsed,
        _ => arguments[0, "default", 0L],
    };

    private static double Float(object? value, CallArguments arguments) => TemplateValues.Number(value) switch
    {
        Undefined missing => throw new TemplateException($"'{missing.Name}' is undefined"),
        long integer => integer,
        double number => number,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed) =>
            parsed,
        _ => TemplateValues.Number(arguments[0, "default"]) switch { double d => d, long n => n, _ => 0 },
    };

    // Integers stay integers; halves go to the even neighbour.
    private static object Rounded(object? value, CallArguments arguments)
    {
        int digits = (int)Math.Clamp(arguments.Integer(0, "precision", 0), 0, 15);
        return (TemplateValues.Number(value), arguments.Text(1, "method", "common")) switch
        {
            (long integer, "common") => (object)integer,
            (double number, "common") => Math.Round(number, digits, MidpointRounding.ToEven),
            (long or double, var method) => throw new TemplateException($"rounding by '{method}' is not supported"),
            _ => throw new TemplateException($"{TemplateValues.KindOf(value)} cannot be rounded"),
        };
    }

    private static string Indented(string text, CallArguments arguments)
    {
        string indent = arguments[0, "width", 4L] switch
        {
            string given => given,
            long width => new string(' ', (int)Math.Clamp(width, 0, 1000)),
            _ => throw new TemplateException("the argument 'width' must be an integer or a string"),
        };
        bool first = TemplateValues.IsTrue(arguments[1, "first", false]),
            blank = TemplateValues.IsTrue(arguments[2, "blank", false]);
        string[] lines = text.Split('\n');
        for (int i = first ? 0 : 1; i < lines.Length; i++)
            if (blank || lines[i].Length > 0)
                lines[i] = indent + lines[i];
        return string.Join('\n', lines);
    }

    private static List<object?> Sorted(object? value, CallArguments arguments)
    {
        bool isReversed = TemplateValues.IsTrue(arguments[0, "reverse", false]),
            minds = TemplateValues.IsTrue(arguments[1, "case_sensitive", false]);
        object? attribute = arguments[2, "attribute"];
        return Ordered(Items(value), item => Attribute(item, attribute),
            minds ? TemplateArithmetic.Order : IgnoringCase, isReversed);
    }

    // Stable.
    private static List<object?> Ordered(IEnumerable<object?> items, Func<object?, object?> key,
        Comparison<object?> order, bool isReversed)
    {
        var comparer = Comparer<object?>.Create(order);
        try
        {
            return [.. isReversed ? items.OrderByDescending(key, comparer) : items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateException failure)
        {
            throw failure;
        }
    }

    private static int IgnoringCase(object? a, object? b) => TemplateArithmetic.Order(
        a is string left ? left.ToLowerInvariant() : a, b is string right ? right.ToLowerInvariant() : b);

    private static List<object?> Unique(object? value)
    {
        var kept = new List<object?>();
        foreach (object? item in Items(value))
            if (!kept.Any(other => IsSame(other, item)))
                kept.Add(item);
        return kept;

        static bool IsSame(object? a, object? b) => a is string left && b is string right
            ? string.Equals(left, right, StringComparison.OrdinalIgnoreCase) : TemplateArithmetic.AreEqual(a, b);
    }

    private static IEnumerable<object?> Attributes(object? value, object? attribute) =>
        Items(value).Select(item => Attribute(item, attribute));

    // An attribute, or attributes of attributes with points between them.
    private static object? Attribute(object? value, object? path) => path switch
    {
        null => value,
        string names => names.Split('.').Aggregate(value, (part, name) => TemplateMembers.Get(part,
            long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : name,
            isAttribute: false)),
        _ => TemplateMembers.Get(value, path, isAttribute: false),
    };

    private static object? Mapped(object? value, CallArguments arguments)
    {
        if (arguments.Positions.Count == 0)
        {
            object? attribute = arguments[0, "attribute"] ?? throw new TemplateException("'map' needs an attribute");
            bool hasDefault = arguments.Names.TryGetValue("default", out object? otherwise);
            return Attributes(value, attribute).Select(item => item is Undefined && hasDefault ? otherwise : item)
                .ToList();
        }
        string name = arguments.Text(0, "filter");
        var filter = Find(name) ?? throw new TemplateException($"the filter '{name}' is not supported");
        var rest = new CallArguments([.. arguments.Positions.Skip(1)], arguments.Names);
        return Items(value).Select(item => filter(item, rest)).ToList();
    }

    private static List<object?> Chosen(object? value, CallArguments arguments, bool byAttribute, bool keeps)
    {
        int next = byAttribute ? 1 : 0;
        object? attribute = byAttribute ? arguments[0, "attribute"] : null;
        Func<object?, CallArguments, bool> test = static (item, _) => TemplateValues.IsTrue(item);
        if (arguments.Positions.Count > next)
        {
            string name = arguments.Text(next, "test");
            test = TemplateTests.Find(name) ?? throw new TemplateException($"the test '{name}' is not supported");
        }
        var rest = new CallArguments([.. arguments.Positions.Skip(next + 1)], arguments.Names);
        return [.. Items(value).Where(item => test(Attribute(item, attribute), rest) == keeps)];
    }
}
