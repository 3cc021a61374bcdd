using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cpu;

namespace S2ILGPU.Peers;

/// <summary>One comparison.</summary>
/// <param name="Name">What both sides do.</param>
/// <param name="Ours">Which of ours.</param>
/// <param name="OursMs">Median milliseconds of a call of ours.</param>
/// <param name="PeerMs">Median milliseconds of a call of the peer's.</param>
/// <param name="Ratio">Peer's time over ours, the median over rounds: above 1, ours is faster.</param>
/// <param name="Spread">Width of the middle half of the ratios.</param>
/// <param name="Error">Largest difference of the results over the peer's largest magnitude; null where the two compute
/// different things (sparse against dense).</param>
/// <param name="Note">What else to know, such as tokens per second; empty for nothing.</param>
internal sealed record PeerFigure(string Name, string Ours, double OursMs, double PeerMs, double Ratio, double Spread,
    double? Error, string Note);

/// <summary>Measures a peer beside ours and collects the ratios.</summary>
internal sealed class PeerReport(string peer, CpuEngine engine, PeerOptions options)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly List<PeerFigure> _figures = [];
    private readonly List<string> _leftOut = [];
    private readonly List<string> _names = [];
    private readonly long _began = Stopwatch.GetTimestamp();

    public PeerOptions Options => options;

    public CpuEngine Engine => engine;

    /// <summary>Name and version of the peer, with its threads; set by the peer once its library is loaded.</summary>
    public string Version { get; set; } = "";

    /// <summary>Whether a figure is asked for, and there is time for it.</summary>
    /// <param name="name">Its name, whether it is asked for or not: <see cref="CheckNames"/> knows it then.</param>
    public bool Wants(string name)
    {
        if (!_names.Contains(name))
            _names.Add(name);
        if (!Names(name))
            return false;
        if (Stopwatch.GetElapsedTime(_began).TotalMinutes < options.Minutes)
            return true;
        if (!_leftOut.Contains(name))
            _leftOut.Add(name);
        return false;
    }

    /// <summary>Checks that at least one figure was asked for.</summary>
    /// <exception cref="UsageException">The name of none holds the text that it was to hold; the message has the
    /// names.</exception>
    public void CheckNames()
    {
        if (!_names.Any(Names))
            throw new UsageException($"--only {options.Only} is in the name of no figure; there are: "
                + string.Join("; ", _names));
    }

    private bool Names(string name) => name.Contains(options.Only, StringComparison.OrdinalIgnoreCase);

    /// <summary>Calls the peer's and ours in turn and adds one figure per variant of ours.</summary>
    public void Compare(string name, Action peers, params OurVariant[] ours) =>
        Compare(name, options.Rounds, peers, ours);

    /// <inheritdoc cref="Compare(string, Action, OurVariant[])"/>
    public void Compare(string name, Rounds rounds, Action peers, params OurVariant[] ours)
    {
        Console.Error.WriteLine(name);
        var seconds = Alternating.Time(rounds, [peers, .. ours.Select(variant => variant.Run)]);
        for (int i = 0; i < ours.Length; i++)
        {
            var ratio = seconds[0].With(seconds[i + 1], (theirs, own) => theirs / own);
            string rates = ours[i].Tokens == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
                $"{ours[i].Tokens / seconds[i + 1].Median:#,0} against ")
                + string.Create(CultureInfo.InvariantCulture, $"{ours[i].Tokens / seconds[0].Median:#,0} tokens/s");
            string note = string.Join(", ", new[] { rates, ours[i].Note }.Where(part => part.Length > 0));
            _figures.Add(new PeerFigure(name, ours[i].Name, seconds[i + 1].Median * 1e3, seconds[0].Median * 1e3,
                ratio.Median, ratio.Spread, ours[i].Error, note));
        }
    }

    public string ToTable()
    {
        var text = new StringBuilder();
        text.AppendLine(Title()).AppendLine();
        text.AppendLine("| figure | ours | ours, ms | peer, ms | peer / ours | spread | difference | |");
        text.AppendLine("|---|---|---:|---:|---:|---:|---:|---|");
        foreach (var figure in _figures)
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {figure.Name} | {figure.Ours} | {figure.OursMs:#,0.00} | {figure.PeerMs:#,0.00} | "
                + $"{figure.Ratio:0.00}x | {figure.Spread:0.00} | {figure.Error:0.0e+0} | {figure.Note} |");
        foreach (string name in _leftOut)
            text.AppendLine().AppendLine($"left out, the time was over: {name}");
        return text.ToString();
    }

    public string ToJson() => JsonSerializer.Serialize(new
    {
        peer,
        version = Version,
        engine = engine.Name,
        threads = engine.Threads,
        dotnet = Environment.Version.ToString(),
        quick = options.IsQuick,
        figures = _figures,
        leftOut = _leftOut,
    }, s_json) + "\n";

    private string Title() => $"{engine.Name} against {Version}, .NET {Environment.Version}, in turn in one process";
}

/// <summary>One of our variants.</summary>
/// <param name="Name">Its name, such as a pattern.</param>
/// <param name="Run">One call.</param>
/// <param name="Error">As in <see cref="PeerFigure"/>.</param>
/// <param name="Tokens">Tokens of a call, to print rates; 0 for none.</param>
/// <param name="Note">What else to print.</param>
internal readonly record struct OurVariant(string Name, Action Run, double? Error = null, int Tokens = 0,
    string Note = "");
