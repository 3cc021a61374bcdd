namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Sizes of <c>s2 bench workers</c>.</summary>
/// <param name="Workers">Attention workers, each a process of its own on the loopback address.</param>
/// <param name="Sequences">Sequences that generate side by side.</param>
/// <param name="PromptTokens">Tokens of each prompt.</param>
internal sealed record WorkersSettings(int Workers, int Sequences, int PromptTokens)
{
    /// <summary>Key/value heads of the model, which the workers share.</summary>
    public const int KeyValueHeads = 4;

    /// <summary>Layers of the model: a step begins and ends with one that nothing overlaps.</summary>
    public int Layers { get; init; } = 8;

    /// <summary>Steps after the prompts that are not measured: each worker is a new process, which compiles.</summary>
    public int WarmUpSteps { get; init; } = 48;

    /// <summary>How often some steps are measured.</summary>
    public int Rounds { get; init; } = 12;

    /// <summary>Steps of a round, in each of which every sequence gets a token.</summary>
    public int RoundSteps { get; init; } = 16;

    /// <summary>Threads of each process: as many as make all processes fit the processors.</summary>
    public int Threads => Math.Max(1, Environment.ProcessorCount / (Workers + 1));

    /// <summary>Tokens of each text that are compared.</summary>
    public int TextTokens => WarmUpSteps + Rounds * RoundSteps;

    /// <summary>Sizes of a short run.</summary>
    public static WorkersSettings Quick(int workers, int sequences, int promptTokens) =>
        new(workers, sequences, promptTokens) { WarmUpSteps = 32, Rounds = 6, RoundSteps = 8 };
}
