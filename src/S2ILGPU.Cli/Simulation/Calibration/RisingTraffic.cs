using S2ILGPU.Cli.Simulation.Serving;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Texts that come at several rates one after the other: steps of few and of many of them, which costs are to
/// say.</summary>
internal static class RisingTraffic
{
    /// <summary>Shares texts out among rates.</summary>
    /// <param name="texts">Texts at a rate of 1.</param>
    /// <param name="rates">Texts per second of each part; the parts are about equally many texts, and an infinite rate
    /// lets them come at once.</param>
    public static IReadOnlyList<Arrival> Of(IReadOnlyList<Arrival> texts, IReadOnlyList<double> rates)
    {
        double time = 0, before = 0;
        var arrivals = new Arrival[texts.Count];
        for (int i = 0; i < texts.Count; i++)
        {
            time += (texts[i].Time - before) / rates[i * rates.Count / texts.Count];
            before = texts[i].Time;
            arrivals[i] = texts[i] with { Time = time };
        }
        return arrivals;
    }
}
