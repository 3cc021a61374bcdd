using System.Globalization;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench;

/// <summary>What the machine could do at most, over a whole run.</summary>
/// <param name="Rate">The median: billions of operations or bytes per second; 0 where it was not measured.</param>
/// <param name="Variation">Width of the middle half of the measurements, of their median.</param>
internal readonly record struct Limit(double Rate, double Variation)
{
    /// <summary>From operations or bytes per second.</summary>
    public static Limit Of(IReadOnlyCollection<double> rates)
    {
        if (rates.Count == 0)
            return default;
        var samples = new Samples([.. rates]);
        return new Limit(samples.Median / 1e9, samples.Variation);
    }
}

/// <summary>The limits of a machine, each with how much it varied: above a few percent something else was
/// running.</summary>
/// <param name="Peaks">Multiplications and additions by number of threads, the smallest first.</param>
/// <param name="Read">Bytes that all threads read.</param>
internal sealed record MachineLimits(IReadOnlyDictionary<int, Limit> Peaks, Limit Read)
{
    /// <summary>What to know before quoting figures: the limits that varied too much; null where none did.</summary>
    public string? Warning
    {
        get
        {
            string[] unsteady = [.. Named.Where(l => l.Limit.Variation > Figure.TolerableVariation).Select(l =>
                string.Create(CultureInfo.InvariantCulture, $"{l.Name} by {100 * l.Limit.Variation:0} %"))];
            return unsteady.Length == 0 ? null : "The machine was busy. Limits that varied over the run: "
                + $"{string.Join(", ", unsteady)}. Do not quote fractions of them, nor speed-ups.";
        }
    }

    private IEnumerable<(string Name, Limit Limit)> Named =>
        [.. Peaks.Select(p => ($"the peak on {Threads(p.Key)}", p.Value)), ("the read rate", Read)];

    /// <summary>The limits in words.</summary>
    public override string ToString() => string.Join(", ",
    [
        .. Peaks.Select(p => string.Create(CultureInfo.InvariantCulture,
            $"{p.Value.Rate:0} GFLOP/s peak on {Threads(p.Key)} (varied by {100 * p.Value.Variation:0.0} %)")),
        string.Create(CultureInfo.InvariantCulture,
            $"{Read.Rate:0.0} GB/s read (varied by {100 * Read.Variation:0.0} %)"),
    ]);

    /// <summary>Writes the limits as members of an object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        WritePeaks("peakGflops", limit => Math.Round(limit.Rate, 1));
        WritePeaks("peakVariation", limit => Math.Round(limit.Variation, 4));
        json.WriteNumber("readGBs", Math.Round(Read.Rate, 2));
        json.WriteNumber("readVariation", Math.Round(Read.Variation, 4));

        void WritePeaks(string name, Func<Limit, double> number)
        {
            json.WriteStartObject(name);
            foreach (var (threads, limit) in Peaks)
                json.WriteNumber($"{threads}", number(limit));
            json.WriteEndObject();
        }
    }

    private static string Threads(int count) => count == 1 ? "1 thread" : $"{count} threads";
}
