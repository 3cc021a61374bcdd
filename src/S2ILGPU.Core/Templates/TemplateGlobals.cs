using System.Globalization;
using System.Text;

namespace S2ILGPU.Templates;

/// <summary>The names that every template has.</summary>
internal static class TemplateGlobals
{
    private const int MaxRange = 1_000_000;

    /// <summary>A scope with them.</summary>
    /// <param name="now">The time that <c>strftime_now</c> tells.</param>
    public static Scope Scope(DateTimeOffset now) => new()
    {
        ["namespace"] = (Callable)(a => new Namespace(a.Names.ToDictionary())),
        ["dict"] = (Callable)(a => TemplateValues.Dictionary(
            a.Names.Select(n => KeyValuePair.Create((object)n.Key, n.Value)))),
        ["range"] = (Callable)Range,
        ["raise_exception"] = (Callable)(a => throw new TemplateException(a.Text(0, "message"), isRaised: true)),
        ["strftime_now"] = (Callable)(a => Time(now, a.Text(0, "format"))),
    };

    private static List<object?> Range(CallArguments arguments)
    {
        bool hasStart = arguments.Positions.Count > 1;
        long start = hasStart ? arguments.Integer(0, "start", 0) : 0,
            stop = hasStart ? arguments.Integer(1, "stop", 0) : arguments.Integer(0, "stop", 0),
            step = arguments.Integer(2, "step", 1);
        if (step == 0)
            throw new TemplateException("the step of a range is 0");
        var values = new List<object?>();
        for (Int128 value = start; step > 0 ? value < stop : value > stop; value += step)
        {
            if (values.Count == MaxRange)
                throw new TemplateException($"a range of more than {MaxRange} numbers");
            values.Add((long)value);
        }
        return values;
    }

    // The format letters of C's strftime that name parts of a date.
    private static string Time(DateTimeOffset now, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            bool isShort = format[i + 1] == '-' && i + 2 < format.Length;
            char letter = format[i += isShort ? 2 : 1];
            string part = letter switch
            {
                'd' => now.ToString("dd", CultureInfo.InvariantCulture),
                'm' => now.ToString("MM", CultureInfo.InvariantCulture),
                'y' => now.ToString("yy", CultureInfo.InvariantCulture),
                'Y' => now.ToString("yyyy", CultureInfo.InvariantCulture),
                'b' => now.ToString("MMM", CultureInfo.InvariantCulture),
                'B' => now.ToString("MMMM", CultureInfo.InvariantCulture),
                'a' => now.ToString("ddd", CultureInfo.InvariantCulture),
                'A' => now.ToString("dddd", CultureInfo.InvariantCulture),
                'H' => now.ToString("HH", CultureInfo.InvariantCulture),
                'I' => now.ToString("hh", CultureInfo.InvariantCulture),
                'M' => now.ToString("mm", CultureInfo.InvariantCulture),
                'S' => now.ToString("ss", CultureInfo.InvariantCulture),
                'p' => now.ToString("tt", CultureInfo.InvariantCulture),
                'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'F' => now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                'T' => now.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
                '%' => "%",
                _ => throw new TemplateException($"the time format '%{letter}' is not supported"),
            };
            text.Append(isShort ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }
        return text.ToString();
    }
}
