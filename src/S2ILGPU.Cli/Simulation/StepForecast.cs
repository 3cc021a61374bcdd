using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Simulation;

/// <summary>A step as it is simulated.</summary>
/// <param name="Seconds">From the first rank's beginning to the last one's end.</param>
/// <param name="Parts">Seconds of the rank that ends last, by what it does; they add up to the step.</param>
/// <param name="SentBytes">Bytes that each simulated rank sends.</param>
/// <param name="ProcessorSeconds">Seconds in which the simulated ranks have a processor, or their device, all
/// together.</param>
internal sealed record StepForecast(double Seconds, IReadOnlyList<(string Name, double Seconds)> Parts,
    IReadOnlyList<double> SentBytes, double ProcessorSeconds)
{
    /// <summary>The name of the part in which a rank exchanges and waits for others.</summary>
    public const string Exchanges = "exchanges and waiting";

    /// <summary>The name of what happens between operations.</summary>
    public const string Host = "between operations";

    /// <summary>The part to which an operation belongs.</summary>
    public static string PartOf(string operation) => operation switch
    {
        nameof(IEngine.MatMul) => "products",
        nameof(IEngine.AttentionForward) or nameof(IEngine.AttentionBackward) or nameof(IEngine.MergePartitions) =>
            "attention",
        nameof(IEngine.AdamW) or nameof(IEngine.SumOfSquares) => "optimizer",
        _ => "other operations",
    };
}
