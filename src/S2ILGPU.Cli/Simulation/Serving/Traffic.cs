namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>A text that is asked for.</summary>
/// <param name="Time">Seconds from the beginning of the run.</param>
/// <param name="Prompt">Token ids.</param>
/// <param name="Tokens">Tokens to generate.</param>
internal sealed record Arrival(double Time, int[] Prompt, int Tokens);

/// <summary>Texts that are asked for at random times, independently of each other (Poisson arrivals), with log-normal
/// lengths.</summary>
internal sealed record Traffic
{
    /// <summary>Number of texts.</summary>
    public required int Texts { get; init; }

    /// <summary>Texts per second in the mean; infinite for all at once.</summary>
    public required double Rate { get; init; }

    /// <summary>Tokens of a prompt in the mean, those of the shared prefix apart.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Tokens of a text in the mean.</summary>
    public required int OutputTokens { get; init; }

    /// <summary>Standard deviation of both lengths over their mean; 0 where all are equal.</summary>
    public double Variation { get; init; }

    /// <summary>The fraction of prompts that begin with the shared prefix.</summary>
    public double PrefixShare { get; init; }

    /// <summary>Tokens of the shared prefix.</summary>
    public int PrefixTokens { get; init; }

    /// <summary>Draws the texts. The same seed gives the same texts at any rate, only closer together.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="vocabulary">Number of token ids.</param>
    /// <param name="contextTokens">The most tokens of prompt and text; longer ones are cut.</param>
    public IReadOnlyList<Arrival> Draw(int seed, int vocabulary, int contextTokens)
    {
        if (PrefixTokens > contextTokens - 2)
            throw new ArgumentException($"a shared prefix of {PrefixTokens} tokens leaves no room for a text in a "
                + $"context of {contextTokens}");
        var random = new Random(seed);
        int[] prefix = Tokens(PrefixTokens);
        double time = 0;
        var arrivals = new Arrival[Texts];
        for (int i = 0; i < Texts; i++)
        {
            time += -Math.Log(1 - random.NextDouble()) / Rate;
            int shared = random.NextDouble() < PrefixShare ? PrefixTokens : 0,
                prompt = Length(PromptTokens, contextTokens - shared - 1);
            int[] own = Tokens(prompt);
            arrivals[i] = new Arrival(time, shared == 0 ? own : [.. prefix, .. own],
                Length(OutputTokens, contextTokens - shared - prompt));
        }
        return arrivals;

        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];

        // exp(mu + sigma z) with sigma^2 = ln(1 + variation^2) and a mean of exp(mu + sigma^2 / 2).
        int Length(int mean, int most)
        {
            double variance = Math.Log(1 + Variation * Variation),
                radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())),
                normal = radius * Math.Cos(2 * Math.PI * random.NextDouble());
            double length = mean * Math.Exp(Math.Sqrt(variance) * normal - variance / 2);
            return (int)Math.Clamp(Math.Round(length), 1, most);
        }
    }
}
