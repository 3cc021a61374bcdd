using S2ILGPU.Cli.Drawing;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>Predicts the same texts at higher and higher rates, for a model and its dense twin.</summary>
/// <param name="costs">The machine of each instance.</param>
/// <param name="options">Limits of each instance.</param>
/// <param name="instances">Number of instances.</param>
/// <param name="failures">What fails; null for nothing.</param>
/// <param name="seed">Seed of the texts and of the failures.</param>
internal sealed class ServingSweep(MachineCosts costs, SchedulerOptions options, int instances,
    InstanceFailures? failures, int seed)
{
    private const int Halvings = 3;

    /// <summary>Rates of a sweep: the highest one, and its half three times over.</summary>
    public static IEnumerable<double> Rates(double highest) =>
        Enumerable.Range(0, Halvings + 1).Select(halving => highest / (1 << (Halvings - halving)));

    /// <summary>Predicts all rates.</summary>
    /// <param name="attention">What the rows are called.</param>
    /// <param name="config">The model.</param>
    /// <param name="activationType">Type of activations, keys and values; null for that of computing.</param>
    /// <param name="traffic">The texts at the highest rate.</param>
    /// <param name="cancellation">Ends it between two events.</param>
    public IEnumerable<ServingRow> Predict(string attention, TransformerConfig config, ElementType? activationType,
        Traffic traffic, CancellationToken cancellation)
    {
        using var model = ServingModel.Counted(costs, config, activationType);
        foreach (double rate in Rates(traffic.Rate))
        {
            var arrivals = (traffic with { Rate = rate }).Draw(seed, config.VocabularySize, config.ContextTokens);
            yield return new ServingRow(attention, rate,
                ServingSimulation.Run(model, options, instances, arrivals, failures, seed, cancellation));
        }
    }

    /// <summary>How long texts wait for their first token, as an SVG document.</summary>
    public static string Plot(string title, IReadOnlyList<ServingRow> rows)
    {
        string[] colours = ["#c4542d", "#3b6fb6"];
        return new SvgPlot(title, "texts per second", "seconds to the first token, 99 of 100 texts",
        [
            .. rows.GroupBy(row => row.Attention).Select((group, i) => new PlotSeries(group.Key, colours[i],
                [.. group.Select(row => (row.Rate, row.Forecast.FirstSeconds.Quantile(0.99)))]) { HasMarkers = true }),
        ]) { HasLogarithmicX = true, LegendIsLeft = true, StartsAtZero = true }.Render();
    }
}

/// <summary>A prediction of a sweep.</summary>
/// <param name="Attention">Attention of the layers.</param>
/// <param name="Rate">Texts per second.</param>
/// <param name="Forecast">What becomes of them.</param>
internal sealed record ServingRow(string Attention, double Rate, ServingForecast Forecast);
