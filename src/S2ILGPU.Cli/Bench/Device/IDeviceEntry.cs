using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>One measurement on a device.</summary>
internal interface IDeviceEntry
{
    /// <summary>The measurement in one line.</summary>
    string Line { get; }

    /// <summary>Writes the entry as a JSON object.</summary>
    void Write(Utf8JsonWriter json);
}

/// <summary>A rate as a fraction of the machine's own limit, both measured in the same rounds.</summary>
/// <param name="Median">The median over the rounds.</param>
/// <param name="Spread">Width of the middle half of the rounds.</param>
internal sealed record OfLimit(double Median, double Spread)
{
    /// <summary>From seconds of a call and the limit in the same rounds; null where the limit was not
    /// measured.</summary>
    /// <param name="seconds">Seconds.</param>
    /// <param name="work">What a call does, in the unit of the limit.</param>
    /// <param name="limit">What the machine can do in a second.</param>
    public static OfLimit? Of(Samples seconds, double work, Samples? limit)
    {
        if (limit is null)
            return null;
        var fraction = seconds.With(limit, (s, most) => work / s / most);
        return new OfLimit(fraction.Median, fraction.Spread);
    }

    /// <summary>Writes a fraction and its spread as members of an object; nothing where there is none.</summary>
    public static void Write(Utf8JsonWriter json, string name, OfLimit? fraction)
    {
        if (fraction is null)
            return;
        json.WriteNumber(name, EntryText.Rounded(fraction.Median));
        json.WriteNumber($"{name}Spread", EntryText.Rounded(fraction.Spread));
    }
}

/// <summary>What lines and JSON of the measurements share.</summary>
internal static class EntryText
{
    /// <summary>A speed-up beside its ceiling; empty where nothing was compared.</summary>
    /// <param name="speedUp">Time of dense over this time.</param>
    /// <param name="ceiling">The most that it can be.</param>
    public static string SpeedUp(double? speedUp, double ceiling) => speedUp is { } ratio
        ? string.Create(CultureInfo.InvariantCulture,
        $"{ratio,6:0.00}x of at most {ceiling,6:0.00}x = {ratio / ceiling * 100,5:0.0} %")
        : "";

    /// <summary>Writes a number, or null.</summary>
    public static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
            json.WriteNumber(name, Rounded(number));
        else
            json.WriteNull(name);
    }

    /// <summary>Six digits: more than any clock has.</summary>
    public static double Rounded(double value) =>
        double.Parse(value.ToString("g6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
