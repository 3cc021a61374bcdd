using System.Collections;
using System.Globalization;
using System.Text;

namespace S2ILGPU.Templates;

/// <summary>Values of templates as Python has them: what is true, how they are printed, what has
/// elements.</summary>
internal static class TemplateValues
{
    /// <summary>A dictionary that keeps the order of its entries; later entries of a key replace earlier
    /// ones.</summary>
    public static OrderedDictionary<object, object?> Dictionary(IEnumerable<KeyValuePair<object, object?>> entries)
    {
        var dictionary = new OrderedDictionary<object, object?>();
        foreach (var (key, value) in entries)
            dictionary[key] = value;
        return dictionary;
    }

    /// <summary>Whether a condition holds.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined or false or 0L or 0.0 or "" => false,
        ICollection collection => collection.Count > 0,
        _ => true,
    };

    /// <summary>A number, with true as 1 and false as 0; other values as they are.</summary>
    public static object? Number(object? value) => value switch
    {
        true => 1L,
        false => 0L,
        int small => (long)small,
        _ => value,
    };

    /// <summary>What a value is, for errors.</summary>
    public static string KindOf(object? value) => value switch
    {
        null => "none",
        Undefined missing => $"'{missing.Name}', which is undefined,",
        bool => "a boolean",
        long => "an integer",
        double => "a number",
        string => "a string",
        IDictionary => "a dictionary",
        IList => "a list",
        _ => "an object",
    };

    /// <summary>What a loop or a filter goes over: elements of a list, keys of a dictionary, characters of a
    /// string.</summary>
    public static IEnumerable<object?> Items(object? value, string what) => value switch
    {
        Undefined => [],
        string text => text.EnumerateRunes().Select(rune => (object?)rune.ToString()),
        OrderedDictionary<object, object?> dictionary => dictionary.Keys,
        IReadOnlyList<object?> list => list,
        _ => throw new TemplateException($"{what} must be a list, got {KindOf(value)}"),
    };

    /// <summary>A value as it is printed.</summary>
    public static string Text(object? value) => value switch
    {
        string text => text,
        Undefined => "",
        _ => Literal(value),
    };

    /// <summary>A value as Python would write it in a program.</summary>
    public static string Literal(object? value)
    {
        var text = new StringBuilder();
        Append(text, value, 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value, int depth)
    {
        if (depth > 100)
            throw new TemplateException("a value is nested more than 100 deep");
        switch (value)
        {
            case string s:
                AppendQuoted(text, s);
                break;
            case OrderedDictionary<object, object?> dictionary:
                text.Append('{');
                int written = 0;
                foreach (var (key, item) in dictionary)
                {
                    text.Append(written++ > 0 ? ", " : "");
                    Append(text, key, depth + 1);
                    text.Append(": ");
                    Append(text, item, depth + 1);
                }
                text.Append('}');
                break;
            case IReadOnlyList<object?> list:
                text.Append('[');
                for (int i = 0; i < list.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "");
                    Append(text, list[i], depth + 1);
                }
                text.Append(']');
                break;
            default:
                text.Append(Simple(value));
                break;
        }
    }

    private static string Simple(object? value) => value switch
    {
        null => "None",
        true => "True",
        false => "False",
        long integer => integer.ToString(CultureInfo.InvariantCulture),
        double number => Float(number),
        Undefined => "Undefined",
        Namespace => "<Namespace>",
        _ => throw new TemplateException($"{KindOf(value)} cannot be printed"),
    };

    /// <summary>A number as Python prints it: the shortest digits that read back the same, with an exponent below 1e-4
    /// and from 1e16 on.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0.0" : "0.0";
        // d.ddd and the exponent, of the shortest digits
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int mark = shortest.IndexOf('E'), point = shortest.IndexOf('.');
        string plain = mark < 0 ? shortest : shortest[..mark];
        int exponent = (mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), CultureInfo.InvariantCulture))
            + (point < 0 ? plain.Length : point) - 1;
        string digits = plain.Replace(".", "");
        exponent -= digits.Length - digits.TrimStart('0').Length;
        digits = digits.Trim('0');
        string sign = value < 0 ? "-" : "";
        if (exponent is < -4 or >= 16)
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e"
                + $"{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        string whole = digits.PadRight(exponent + 1, '0');
        return $"{sign}{whole[..(exponent + 1)]}.{(whole.Length > exponent + 1 ? whole[(exponent + 1)..] : "0")}";
    }

    private static void AppendQuoted(StringBuilder text, string value)
    {
        char quote = value.Contains('\'') && !value.Contains('"') ? '"' : '\'';
        text.Append(quote);
        foreach (char c in value)
            text.Append(c switch
            {
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when c == quote => $"\\{c}",
                < ' ' or '\x7f' => $"\\x{(int)c:x2}",
                _ => c.ToString(),
            });
        text.Append(quote);
    }
}
