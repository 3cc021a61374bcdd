using System.Text;

namespace S2ILGPU.Templates;

/// <summary>Attributes, elements and ranges of values.</summary>
internal static class TemplateMembers
{
    /// <summary><c>value.key</c> or <c>value[key]</c>; undefined where there is no such thing.</summary>
    /// <exception cref="TemplateException">The value itself is undefined.</exception>
    public static object? Get(object? value, object? key, bool isAttribute)
    {
        switch (value, TemplateValues.Number(key))
        {
            case (Undefined missing, _):
                throw new TemplateException($"'{missing.Name}' is undefined");
            case (OrderedDictionary<object, object?> dictionary, { } name):
                // attributes are methods first, elements are keys first
                if (isAttribute && name is string method && TemplateMethods.Find(value, method) is { } callable)
                    return callable;
                return dictionary.TryGetValue(name, out object? found) ? found : Missing(key);
            case (IReadOnlyList<object?> list, long index):
                return At(index, list.Count) is { } i ? list[i] : Missing(key);
            case (string text, long index):
                var runes = text.EnumerateRunes().ToArray();
                return At(index, runes.Length) is { } r ? runes[r].ToString() : Missing(key);
            case (LoopState loop, string name):
                return loop.Attribute(name);
            case (Namespace space, string name):
                return space.Values.TryGetValue(name, out object? stored) ? stored : Missing(key);
            case (_, string name):
                return (object?)TemplateMethods.Find(value, name) ?? Missing(key);
            default:
                return Missing(key);
        }
    }

    /// <summary><c>value[start:end:step]</c> of a list or a string.</summary>
    public static object? Slice(object? value, object? start, object? end, object? step)
    {
        object?[] items = value is string or IReadOnlyList<object?> ? [.. TemplateValues.Items(value, "a range")]
            : throw new TemplateException($"{TemplateValues.KindOf(value)} has no ranges");
        long by = Bound(step) ?? 1;
        if (by == 0)
            throw new TemplateException("the step of a range is 0");
        long first = by > 0 ? Clamped(Bound(start) ?? 0, items.Length, 0, items.Length)
            : Clamped(Bound(start) ?? items.Length, items.Length, -1, items.Length - 1);
        long last = by > 0 ? Clamped(Bound(end) ?? items.Length, items.Length, 0, items.Length)
            : Bound(end) is { } e ? Clamped(e, items.Length, -1, items.Length - 1) : -1;
        var taken = new List<object?>();
        for (long i = first; by > 0 ? i < last : i > last; i += by)
            taken.Add(items[i]);
        if (value is not string)
            return taken;
        var text = new StringBuilder();
        foreach (object? part in taken)
            text.Append(part);
        return text.ToString();
    }

    private static long Clamped(long index, int count, long least, long most) =>
        Math.Clamp(index < 0 ? index + count : index, least, most);

    private static long? Bound(object? value) => TemplateValues.Number(value) switch
    {
        null => null,
        long index => Math.Clamp(index, -int.MaxValue, int.MaxValue),
        _ => throw new TemplateException($"the bound of a range is {TemplateValues.KindOf(value)}"),
    };

    // An index from the start, or from the end where it is negative.
    private static int? At(long index, int count)
    {
        long at = index < 0 ? index + count : index;
        return at >= 0 && at < count ? (int)at : null;
    }

    private static Undefined Missing(object? key) => new(TemplateValues.Text(key));
}
