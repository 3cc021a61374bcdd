using S2ILGPU.Scheduling;
using S2ILGPU.Serving;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Sizes of <c>s2 bench serve</c>.</summary>
/// <param name="Clients">Streaming clients at a time.</param>
/// <param name="Seconds">How long they keep asking; a fifth of it again with clients that leave.</param>
/// <param name="ContextTokens">Context of the twins, which are dense and sparse.</param>
internal sealed record ServeSettings(int Clients, double Seconds, int ContextTokens)
{
    /// <summary>Different prompts; clients ask for each of them many times.</summary>
    public int Prompts { get; init; } = 32;

    /// <summary>Tokens of a prompt at most, and of a text.</summary>
    public int TextTokens { get; init; } = 64;

    /// <summary>The most tokens that the server proposes for a text; 0 for none.</summary>
    public int Speculate { get; init; }

    /// <summary>The least time between two events of a stream.</summary>
    public TimeSpan StreamInterval { get; init; } = ModelServerOptions.DefaultStreamInterval;

    /// <summary>Dense sequences that the byte limit has room for.</summary>
    public int DenseSequences { get; init; } = 2;

    /// <summary>How often decoding steps are timed.</summary>
    public Rounds Rounds { get; init; } = new(10, 40, 10);

    /// <summary>A scheduler with a sequence for each client, all of which may come at once. It keeps no prefixes: its
    /// pool must be empty when nothing runs.</summary>
    public SchedulerOptions Scheduler
    {
        get
        {
            var defaults = new SchedulerOptions();
            return defaults with
            {
                Sequences = Clients,
                StepTokens = Math.Max(defaults.StepTokens, Clients + defaults.ChunkTokens),
                MaxQueued = Math.Max(defaults.MaxQueued, Clients),
                Prefixes = 0,
            };
        }
    }

    /// <summary>Sizes of a short run.</summary>
    public static ServeSettings Quick(int clients, double seconds) =>
        new(clients, seconds, 4096) { Prompts = 8, Rounds = new Rounds(3, 10, 2) };
}
