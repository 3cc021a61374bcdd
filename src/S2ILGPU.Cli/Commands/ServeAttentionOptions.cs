using System.CommandLine;
using S2ILGPU.AttentionWorkers;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options with which <c>s2 serve</c> leaves cache and attention to attention workers.</summary>
internal sealed class ServeAttentionOptions
{
    private readonly Option<string?> _workers = Options.Text("--attention-workers", "ADDRESSES",
        "Attention workers that hold the cache and run attention, as HOST:PORT,HOST:PORT; see s2 attention-worker",
        unset: "none: attention runs here");

    private readonly Option<string?> _spares = Options.Text("--attention-spares", "ADDRESSES",
        "Attention workers that take the place of lost ones", unset: "none");

    private readonly Option<string?> _overlap = Options.Choice("--attention-overlap", ["on", "off"],
        "Whether attention over earlier tokens begins before keys and values are computed; off gives the bits of one "
        + "process", unset: "on");

    private readonly Option<int?> _timeout = Options.OptionalNumber<int>("--attention-timeout",
        "Seconds that an answer of an attention worker may take before it counts as lost", least: 1, most: 1_000_000,
        unset: "60");

    private readonly Option<int?> _restore = Options.OptionalNumber<int>("--attention-restore",
        "Seconds to try to reach lost attention workers or spares, while requests wait", least: 0, most: 1_000_000,
        unset: "300");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_workers, _spares, _overlap, _timeout, _restore])
            command.Add(option);
    }

    /// <summary>What was given; null without workers.</summary>
    /// <exception cref="ArgumentException">There are options of workers without workers.</exception>
    public AttentionWorkerOptions? Read(ParseResult parsed)
    {
        if (parsed.GetValue(_workers) is not { } workers)
            return (parsed.GetValue(_spares), parsed.GetValue(_overlap), parsed.GetValue(_timeout),
                parsed.GetValue(_restore)) is (null, null, null, null) ? null
                : throw new ArgumentException("--attention-spares, --attention-overlap, --attention-timeout and "
                    + "--attention-restore need --attention-workers ADDRESSES");
        var options = new AttentionWorkerOptions
        {
            Addresses = workers.Split(','),
            Spares = parsed.GetValue(_spares)?.Split(',') ?? [],
            Overlap = parsed.GetValue(_overlap) != "off",
        };
        if (parsed.GetValue(_timeout) is { } timeout)
            options = options with { Timeout = TimeSpan.FromSeconds(timeout) };
        return parsed.GetValue(_restore) is { } restore
            ? options with { RestoreTimeout = TimeSpan.FromSeconds(restore) } : options;
    }
}
