using System.Text.Json;
using S2ILGPU.Cli.Bench.Device;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>How a report came about.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">What the tool was built from; null where unknown.</param>
/// <param name="Command">The command line.</param>
/// <param name="Minutes">How long it took.</param>
/// <param name="Limits">The machine's own limits over the run.</param>
internal sealed record ReportFacts(MachineFacts Machine, DateOnly Date, string? Commit, string Command, double Minutes,
    MachineLimits Limits)
{
    /// <summary>The peak of all threads, in GFLOP/s.</summary>
    public double Peak => Limits.Peaks[Machine.Cores].Rate;
}

/// <summary>What <c>s2 bench report</c> measured.</summary>
/// <param name="Facts">How it came about.</param>
/// <param name="Headlines">The figures of the first table.</param>
/// <param name="Attention">Forward, backward and decode, as <c>s2 bench attention</c> has them.</param>
/// <param name="Products">As <c>s2 bench matmul</c> has them.</param>
/// <param name="Models">Training steps and decoding steps of whole models, as <c>s2 bench train</c> and
/// <c>decode</c> have them.</param>
/// <param name="Layouts">Building layouts.</param>
/// <param name="Peers">What the peers measured.</param>
/// <param name="OverOpenBlas">Products of ours over those of OpenBLAS.</param>
/// <param name="LeftOut">What the time or the memory does not reach.</param>
/// <param name="Notes">What else was left out, and why.</param>
internal sealed record MachineReport(ReportFacts Facts, IReadOnlyList<Headline> Headlines,
    IReadOnlyList<DeviceEntry> Attention, IReadOnlyList<ProductEntry> Products, IReadOnlyList<ModelEntry> Models,
    IReadOnlyList<LayoutEntry> Layouts, IReadOnlyList<PeerFigures> Peers, IReadOnlyList<Figure> OverOpenBlas,
    IReadOnlyList<string> LeftOut, IReadOnlyList<string> Notes)
{
    /// <summary>Training steps.</summary>
    public IEnumerable<ModelEntry> Training => Models.Where(entry => entry.Work == "training");

    /// <summary>Decoding steps of whole models.</summary>
    public IEnumerable<ModelEntry> Generation => Models.Where(entry => entry.Work == "decode");

    /// <summary>Attention of one kind.</summary>
    /// <param name="work">forward, backward or decode.</param>
    public IEnumerable<DeviceEntry> AttentionOf(string work) => Attention.Where(entry => entry.Shape.Work == work);

    /// <summary>Writes the report as one JSON object. Its members device, entries and notes are those that <c>s2 bench
    /// compare</c> and the scripts of <c>bench/peers</c> read.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        WriteFacts(json);
        WriteArray(json, "headlines", Headlines, headline => headline.Write(json));
        WriteArray(json, "entries", Attention, entry => entry.Write(json));
        WriteArray(json, "products", Products, entry => entry.Write(json));
        WriteArray(json, "models", Models, entry => entry.Write(json));
        WriteArray(json, "layouts", Layouts, entry => entry.Write(json));
        WriteArray(json, "peers", Peers, peer => peer.Write(json));
        WriteArray(json, "overOpenBlas", OverOpenBlas, figure => figure.Write(json));
        WriteArray(json, "leftOut", LeftOut, json.WriteStringValue);
        WriteArray(json, "notes", Notes, json.WriteStringValue);
        json.WriteEndObject();
    }

    private void WriteFacts(Utf8JsonWriter json)
    {
        Facts.Machine.Write(json);
        json.WriteString("device", Facts.Machine.Engine);
        json.WriteString("date", $"{Facts.Date:yyyy-MM-dd}");
        json.WriteString("commit", Facts.Commit);
        json.WriteString("command", Facts.Command);
        json.WriteNumber("minutes", EntryText.Rounded(Facts.Minutes));
        Facts.Limits.Write(json);
    }

    private static void WriteArray<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var item in items)
            write(item);
        json.WriteEndArray();
    }
}
