using System.Globalization;
using S2ILGPU.Cli.Bench;

namespace S2ILGPU.Peers;

/// <summary>What to measure, and how long.</summary>
/// <param name="Peer">Name of the peer.</param>
/// <param name="IsQuick">Fewer rounds and no long contexts: minutes instead of half an hour.</param>
/// <param name="IsJson">Whether the result is JSON in place of a table.</param>
/// <param name="Threads">Threads of both sides; 0 for all processors.</param>
/// <param name="Only">Measures only figures whose name holds this text; empty for all.</param>
/// <param name="Minutes">Time after which no further figure begins; infinite for no limit.</param>
internal sealed record PeerOptions(string Peer, bool IsQuick = false, bool IsJson = false, int Threads = 0,
    string Only = "", double Minutes = double.PositiveInfinity)
{
    public const string Usage =
        "usage: S2ILGPU.Peers (torch | onnx | llama) [--quick] [--json] [--threads N] [--only TEXT] [--minutes X]";

    /// <summary>Rounds of attention and matrix products.</summary>
    public Rounds Rounds => IsQuick ? new Rounds(Least: 3, Most: 15, Seconds: 1)
        : new Rounds(Least: 5, Most: 40, Seconds: 5);

    /// <summary>Rounds of whole models, whose calls take seconds.</summary>
    public Rounds ModelRounds => IsQuick ? new Rounds(Least: 2, Most: 10, Seconds: 2)
        : new Rounds(Least: 5, Most: 20, Seconds: 10);

    /// <summary>Reads a command line.</summary>
    /// <exception cref="UsageException">It is not understood; the message names the option and the value.</exception>
    public static PeerOptions Parse(string[] arguments)
    {
        if (arguments.Length == 0 || !PeerCatalog.Names.Contains(arguments[0]))
            throw new UsageException($"the first argument must be {string.Join(", ", PeerCatalog.Names[..^1])} or "
                + $"{PeerCatalog.Names[^1]}, got {(arguments.Length == 0 ? "nothing" : arguments[0])}");
        var options = new PeerOptions(arguments[0]);
        for (int i = 1; i < arguments.Length; i++)
            options = arguments[i] switch
            {
                "--quick" => options with { IsQuick = true },
                "--json" => options with { IsJson = true },
                "--threads" => options with { Threads = ThreadsOf(Value(arguments, i++)) },
                "--only" => options with { Only = Value(arguments, i++) },
                "--minutes" => options with { Minutes = MinutesOf(Value(arguments, i++)) },
                _ => throw new UsageException($"unknown option {arguments[i]}"),
            };
        return options;

        static int ThreadsOf(string text) => int.TryParse(text, NumberStyles.None, null, out int threads) ? threads
            : throw new UsageException($"--threads must be a whole number, 0 for all processors, got {text}");

        static double MinutesOf(string text) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double minutes)
            && double.IsFinite(minutes) && minutes > 0 ? minutes
            : throw new UsageException($"--minutes must be a number above 0, got {text}");
    }

    private static string Value(string[] arguments, int at) => at + 1 < arguments.Length && arguments[at + 1].Length > 0
        ? arguments[at + 1] : throw new UsageException($"{arguments[at]} needs a value");
}

/// <summary>The command line asks for what is not there; the message says what, in one line.</summary>
internal sealed class UsageException(string message) : Exception(message);
