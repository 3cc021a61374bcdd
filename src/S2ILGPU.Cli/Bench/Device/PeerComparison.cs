using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A peer's time beside ours.</summary>
/// <param name="Peer">Who.</param>
/// <param name="Milliseconds">Its time.</param>
/// <param name="IsDense">Whether it computed dense attention, because it has no time for the row's pattern.</param>
/// <param name="Ratio">Its time over ours: above 1 we are faster.</param>
internal sealed record PeerTime(string Peer, double Milliseconds, bool IsDense, double Ratio);

/// <summary>One shape and pattern.</summary>
/// <param name="Shape">What was computed.</param>
/// <param name="Milliseconds">Our time.</param>
/// <param name="DenseMilliseconds">Our time for dense attention of the same size; null where it was not
/// measured.</param>
/// <param name="DenseCeiling">Blocks of dense over blocks of the pattern; null where our file does not say.</param>
/// <param name="Peers">The peers that have a time for it.</param>
internal sealed record ComparisonRow(AttentionShape Shape, double Milliseconds, double? DenseMilliseconds,
    double? DenseCeiling, IReadOnlyList<PeerTime> Peers)
{
    /// <summary>Our dense time over our time.</summary>
    public double? SpeedUp => Shape.Pattern == PeerComparison.Dense ? null : DenseMilliseconds / Milliseconds;

    /// <summary>The most that skipping blocks can give.</summary>
    public double? Ceiling => Shape.Pattern == PeerComparison.Dense ? null : DenseCeiling;
}

/// <summary>Our times and those of others, joined by shape.</summary>
/// <param name="Ours">Where ours were measured.</param>
/// <param name="Theirs">Where theirs were measured.</param>
/// <param name="Peers">The peers, in the order of their file.</param>
/// <param name="Rows">Shapes that both sides have.</param>
/// <param name="OnlyOurs">Shapes without a peer.</param>
/// <param name="OnlyTheirs">Times of peers without ours.</param>
/// <param name="Skipped">What the peers left out, and why.</param>
internal sealed record PeerComparison(string Ours, string Theirs, IReadOnlyList<string> Peers,
    IReadOnlyList<ComparisonRow> Rows,
    IReadOnlyList<AttentionShape> OnlyOurs, IReadOnlyList<MeasuredTime> OnlyTheirs, IReadOnlyList<string> Skipped)
{
    /// <summary>The pattern that keeps everything.</summary>
    public const string Dense = "dense";

    private const string Training = "forward+backward";

    private static readonly string[] s_works = ["forward", "backward", Training, "decode"];

    /// <summary>Joins two files.</summary>
    /// <exception cref="InvalidDataException">The first one has times of peers, or the second one has none.</exception>
    public static PeerComparison Join(TimesFile ours, TimesFile theirs)
    {
        if (ours.Times.FirstOrDefault(t => t.Implementation != "") is { } foreign)
            throw new InvalidDataException(
                $"{ours.Path} has times of {foreign.Implementation}; give our own file first");
        if (theirs.Times.FirstOrDefault(t => t.Implementation == "") is { } nameless)
            throw new InvalidDataException($"{theirs.Path}: {nameless.Shape} does not say which peer it is of");
        var byShape = WithTraining(ours.Times).ToDictionary(t => t.Shape);
        var other = theirs.Times.ToDictionary(t => (t.Implementation, t.Shape), t => t.Milliseconds);
        string[] peers = [.. theirs.Times.Select(t => t.Implementation).Distinct()];
        var used = new HashSet<(string, AttentionShape)>();
        var rows = new List<ComparisonRow>();
        foreach (var (shape, own) in byShape)
        {
            var dense = shape with { Pattern = Dense };
            var times = new List<PeerTime>();
            foreach (string peer in peers)
            {
                bool isSame = other.ContainsKey((peer, shape));
                if (!isSame && !other.ContainsKey((peer, dense)))
                    continue;
                used.Add((peer, isSame ? shape : dense));
                double time = other[(peer, isSame ? shape : dense)];
                times.Add(new PeerTime(peer, time, IsDense: !isSame, time / own.Milliseconds));
            }
            rows.Add(new ComparisonRow(shape, own.Milliseconds, byShape.GetValueOrDefault(dense)?.Milliseconds,
                own.Ceiling, times));
        }
        // Not alone: a part whose sum was joined. A sum itself is computed, not measured.
        var joined = rows.Where(r => r.Peers.Count > 0).Select(r => r.Shape).ToHashSet();
        var alone = ours.Times.Select(t => t.Shape)
            .Where(shape => !joined.Contains(shape) && !joined.Contains(shape with { Work = Training }));
        return new PeerComparison(ours.Device, theirs.Device, peers,
            [.. rows.Where(r => r.Peers.Count > 0).OrderBy(r => Array.IndexOf(s_works, r.Shape.Work))],
            [.. alone], [.. theirs.Times.Where(t => !used.Contains((t.Implementation, t.Shape)))], theirs.Skipped);
    }

    /// <summary>Writes the table as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("device", Ours);
        json.WriteString("peerDevice", Theirs);
        json.WriteStartArray("rows");
        foreach (var row in Rows)
            Write(json, row);
        json.WriteEndArray();
        json.WriteStartArray("onlyOurs");
        foreach (var shape in OnlyOurs)
            json.WriteStringValue(shape.ToString());
        json.WriteEndArray();
        json.WriteStartArray("onlyPeers");
        foreach (var time in OnlyTheirs)
            json.WriteStringValue($"{time.Implementation}: {time.Shape}");
        json.WriteEndArray();
        json.WriteStartArray("skipped");
        foreach (string reason in Skipped)
            json.WriteStringValue(reason);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ComparisonRow row)
    {
        json.WriteStartObject();
        row.Shape.Write(json);
        json.WriteNumber("milliseconds", row.Milliseconds);
        if (row.DenseMilliseconds is { } dense)
            json.WriteNumber("denseMilliseconds", dense);
        if (row.SpeedUp is { } speedUp)
            json.WriteNumber("speedUp", speedUp);
        if (row.Ceiling is { } ceiling)
            json.WriteNumber("ceiling", ceiling);
        json.WriteStartArray("peers");
        foreach (var peer in row.Peers)
        {
            json.WriteStartObject();
            json.WriteString("peer", peer.Peer);
            json.WriteString("pattern", peer.IsDense ? Dense : row.Shape.Pattern);
            json.WriteNumber("milliseconds", peer.Milliseconds);
            json.WriteNumber("ratio", peer.Ratio);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    // Peers time forward and backward together; ours is the sum of both, which keep the same blocks.
    private static IEnumerable<MeasuredTime> WithTraining(IReadOnlyList<MeasuredTime> times)
    {
        var byShape = times.ToDictionary(t => t.Shape);
        foreach (var time in times)
            yield return time;
        foreach (var time in times.Where(t => t.Shape.Work == "backward"))
        {
            var both = time.Shape with { Work = Training };
            if (byShape.TryGetValue(time.Shape with { Work = "forward" }, out var forward)
                && !byShape.ContainsKey(both))
                yield return new MeasuredTime("", both, forward.Milliseconds + time.Milliseconds, time.Ceiling);
        }
    }
}
