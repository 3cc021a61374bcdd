using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Bench.Device;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>What building a layout takes, beside one forward pass over it.</summary>
/// <param name="Tokens">N.</param>
/// <param name="RowsMs">Milliseconds of building the rows of all heads, the median.</param>
/// <param name="RowsSpread">Width of the middle half of the measurements, in milliseconds.</param>
/// <param name="BothMs">The same for rows and columns.</param>
/// <param name="BothSpread">Width of the middle half of the measurements, in milliseconds.</param>
/// <param name="ForwardMs">Milliseconds of the forward pass of all heads: that of one, counted for all.</param>
/// <param name="OfForward">Rows and columns over the forward pass.</param>
internal sealed record LayoutEntry(int Tokens, double RowsMs, double RowsSpread, double BothMs, double BothSpread,
    double ForwardMs, OfLimit OfForward) : IDeviceEntry
{
    /// <summary>Name of the pattern.</summary>
    public static string Pattern => BenchPatterns.Sparse[0];

    public string Line => string.Create(CultureInfo.InvariantCulture,
        $"layout {Pattern} x {LayoutBench.Heads} heads, {Tokens} tokens: rows {RowsMs:0.000} ms, rows and columns "
        + $"{BothMs:0.000} ms, {OfForward.Median:0.00%} of a forward pass D{LayoutBench.HeadDim}");

    /// <summary>Measures a length.</summary>
    public static LayoutEntry Measure(BenchMachine machine, int tokens)
    {
        var timings = LayoutBench.Time(machine, tokens);
        var fraction = timings.Ratio(0, baseline: 2).Each(ratio => ratio / LayoutBench.Heads);
        return new LayoutEntry(tokens, timings[1].Median * 1e3, timings[1].Spread * 1e3, timings[2].Median * 1e3,
            timings[2].Spread * 1e3, LayoutBench.Heads * timings[0].Median * 1e3,
            new OfLimit(fraction.Median, fraction.Spread));
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("pattern", Pattern);
        json.WriteNumber("heads", LayoutBench.Heads);
        json.WriteNumber("headDim", LayoutBench.HeadDim);
        json.WriteNumber("tokens", Tokens);
        json.WriteNumber("rowsMilliseconds", EntryText.Rounded(RowsMs));
        json.WriteNumber("rowsSpread", EntryText.Rounded(RowsSpread));
        json.WriteNumber("milliseconds", EntryText.Rounded(BothMs));
        json.WriteNumber("spread", EntryText.Rounded(BothSpread));
        json.WriteNumber("forwardMilliseconds", EntryText.Rounded(ForwardMs));
        OfLimit.Write(json, "ofForward", OfForward);
        json.WriteEndObject();
    }
}
