using System.Globalization;
using S2ILGPU.Cli.Bench;

namespace S2ILGPU.Peers;

/// <summary>What to measure, and how long.</summary>
/// <param name="Peer">Name of the peer.</param>
/// <param name="IsQuick">Fewer rounds and no long contexts: minutes instead of half an hour.</param>
/// <param name="IsJson">Whether the result is JSON in place of a table.</param>
/// <param name="Threads">Threads of both sides; 0 for all processors.</param>
/// <param name="Only">Measures only figures whose name holds this text; empty for all.</param>
/// <param name="Minutes">Time after which no further figure begins; 0 for no limit.</param>
internal sealed record PeerOptions(string Peer, bool IsQuick = false, bool IsJson = false, int Threads = 0,
    string Only = "", double Minutes = 0)
{
    public const string Usage =
        "usage: S2ILGPU.Peers (torch | onnx | llama) [--quick] [--json] [--threads N] [--only TEXT] [--minutes X]";

    /// <summary>Rounds of attention and matrix products.</summary>
    public Rounds Rounds => IsQuick ? new Rounds(Least: 3, Most: 15, Seconds: 1)
        : new Rounds(Least: 5, Most: 40, Seconds: 5);

    /// <summary>Rounds of whole models, whose calls take seconds.</summary>
    public Rounds ModelRounds => IsQuick ? new Rounds(Least: 2, Most: 10, Seconds: 2)
        : new Rounds(Least: 5, Most: 20, Seconds: 10);

    /// <summary>Reads a command line; null where it is not understood.</summary>
    public static PeerOptions? Parse(string[] arguments)
    {
        PeerOptions? options = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string argument = arguments[i], next = i + 1 < arguments.Length ? arguments[i + 1] : "";
            if (options is null)
            {
                if (!PeerCatalog.Names.Contains(argument))
                    return null;
                options = new PeerOptions(argument);
            }
            else if (argument is "--threads" && int.TryParse(next, NumberStyles.None, null, out int threads))
                (options, i) = (options with { Threads = threads }, i + 1);
            else if (argument is "--only" && next.Length > 0)
                (options, i) = (options with { Only = next }, i + 1);
            else if (argument is "--minutes"
                && double.TryParse(next, NumberStyles.Float, CultureInfo.InvariantCulture, out double minutes))
                (options, i) = (options with { Minutes = minutes }, i + 1);
            else if (argument is "--quick")
                options = options with { IsQuick = true };
            else if (argument is "--json")
                options = options with { IsJson = true };
            else
                return null;
        }
        return options;
    }
}
