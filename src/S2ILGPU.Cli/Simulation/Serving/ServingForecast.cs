using S2ILGPU.Cli.Bench;

namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>What became of some traffic.</summary>
/// <param name="Texts">The texts.</param>
/// <param name="Seconds">From the beginning to the end of the last text.</param>
/// <param name="Instances">Number of instances.</param>
internal sealed record ServingForecast(IReadOnlyList<ServedText> Texts, double Seconds, int Instances)
{
    /// <summary>Seconds that all instances computed.</summary>
    public required double BusySeconds { get; init; }

    /// <summary>Pages in use of all instances, the mean over the time; each holds one block of one KV head.</summary>
    public required double MeanPages { get; init; }

    /// <summary>Most pages in use of all instances.</summary>
    public required long MostPages { get; init; }

    /// <summary>Most bytes of pages of one instance.</summary>
    public required long MostBytes { get; init; }

    /// <summary>Pages that are in use at the end and belong to no text.</summary>
    public required long LostPages { get; init; }

    /// <summary>Steps of all instances.</summary>
    public required long Steps { get; init; }

    /// <summary>Tokens that went through the model.</summary>
    public required long ComputedTokens { get; init; }

    /// <summary>Tokens that kept prefixes saved.</summary>
    public required long PrefixTokens { get; init; }

    /// <summary>Times that a running text gave way.</summary>
    public required long Preemptions { get; init; }

    /// <summary>Failures of instances.</summary>
    public required int Failures { get; init; }

    /// <summary>Times that a text went on elsewhere because of them.</summary>
    public required int MovedTexts { get; init; }

    /// <summary>Texts that did not get all their tokens.</summary>
    public int LostTexts => Texts.Count(text => !text.IsWhole);

    /// <summary>Generated tokens per second.</summary>
    public double TokensPerSecond => Texts.Sum(text => (double)text.Generated.Count) / Seconds;

    /// <summary>The part of the time in which an instance computed.</summary>
    public double BusyFraction => BusySeconds / Seconds / Instances;

    /// <summary>Seconds to the first token.</summary>
    public Samples FirstSeconds => new([.. Texts.Select(text => text.FirstSeconds)]);

    /// <summary>Seconds between neighbouring tokens of a text; 0 where all texts have one.</summary>
    public Samples GapSeconds => new([.. Texts.SelectMany(text => text.Gaps).DefaultIfEmpty()]);
}
