using S2ILGPU.Cli.Simulation.Serving;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Texts that come at one rate after another: costs are fitted to steps of few and many sequences.</summary>
internal static class RisingTraffic
{
    /// <summary>Gives texts the times of several rates.</summary>
    /// <param name="texts">Texts at a rate of 1.</param>
    /// <param name="rates">Texts per second of each part; the parts have about as many texts each. At an infinite rate
    /// a part comes at once.</param>
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
