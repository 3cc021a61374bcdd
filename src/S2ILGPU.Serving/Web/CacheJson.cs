using System.Diagnostics;
using System.Text.Json;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Serving.Web;

/// <summary>The answer of <c>/cache</c>.</summary>
internal static class CacheJson
{
    /// <summary>Writes counters, running sequences and a picture.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="server">The server.</param>
    /// <param name="instances">The instances of its cluster; empty for a server alone.</param>
    /// <param name="snapshot">What it holds.</param>
    /// <param name="name">The sequence to draw, REQUEST.CHOICE; all of them where there is none of that name.</param>
    public static void Write(Utf8JsonWriter writer, ModelServer server, IReadOnlyList<InstanceStatus> instances,
        SchedulerSnapshot snapshot, string? name)
    {
        writer.WriteStartObject();
        writer.WriteString("model", server.Options.ModelName);
        writer.WriteNumber("contextTokens", server.ContextTokens);
        writer.WriteNumber("milliseconds", Stopwatch.GetTimestamp() * 1000.0 / Stopwatch.Frequency);
        Counters(writer, snapshot);
        Instances(writer, instances);
        writer.WriteStartArray("sequences");
        foreach (var sequence in snapshot.Sequences)
        {
            writer.WriteStartObject();
            writer.WriteString("name", NameOf(sequence));
            writer.WriteNumber("promptTokens", sequence.PromptTokens);
            writer.WriteNumber("tokens", sequence.Tokens);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        var one = snapshot.Sequences.Where(sequence => NameOf(sequence) == name).ToArray();
        Picture(writer, server, one.Length > 0 ? one : snapshot.Sequences, one.Length > 0 ? name : null);
        writer.WriteEndObject();
    }

    private static void Instances(Utf8JsonWriter writer, IReadOnlyList<InstanceStatus> instances)
    {
        writer.WriteStartArray("instances");
        foreach (var instance in instances)
        {
            writer.WriteStartObject();
            writer.WriteString("name", instance.Name);
            writer.WriteBoolean("isReady", instance.IsReady);
            writer.WriteNumber("running", instance.Counters.Running);
            writer.WriteNumber("queued", instance.Counters.Queued);
            writer.WriteNumber("usedPages", instance.Counters.UsedPages);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static string NameOf(RunningSequence sequence) =>
        FormattableString.Invariant($"{sequence.Request}.{sequence.Choice}");

    private static void Counters(Utf8JsonWriter writer, SchedulerSnapshot snapshot)
    {
        var counters = snapshot.Counters;
        writer.WriteNumber("running", counters.Running);
        writer.WriteNumber("queued", counters.Queued);
        writer.WriteNumber("generatedTokens", counters.GeneratedTokens);
        writer.WriteNumber("usedPages", counters.UsedPages);
        writer.WriteNumber("freePages", counters.FreePages);
        writer.WriteNumber("sequencePages", snapshot.SequencePages);
        writer.WriteNumber("prefixPages", counters.UsedPages - snapshot.SequencePages);
        writer.WriteNumber("prefixes", counters.Prefixes);
        writer.WriteNumber("usedBytes", counters.UsedBytes);
        writer.WriteNumber("denseBytes", counters.DenseBytes);
        if (counters.MaxBytes != long.MaxValue)
            writer.WriteNumber("maxBytes", counters.MaxBytes);
    }

    private static void Picture(Utf8JsonWriter writer, ModelServer server, IReadOnlyList<RunningSequence> sequences,
        string? name)
    {
        if (sequences.Count == 0)
        {
            writer.WriteNull("picture");
            return;
        }
        var model = server.Pretrained.Model;
        int[] blockTokens = [.. Enumerable.Range(0, model.Config.Layers).Select(l => model.Pattern(l).BlockTokens)];
        writer.WriteStartObject("picture");
        writer.WriteString("sequence", name);
        writer.WriteNumber("sequences", sequences.Count);
        writer.WriteStartArray("layers");
        foreach (var (index, layer) in CachePicture.Of(sequences, blockTokens).Layers.Index())
        {
            writer.WriteStartObject();
            writer.WriteString("attention", model.Config.Attention[index].Kind);
            writer.WriteNumber("blockTokens", blockTokens[index]);
            writer.WriteNumber("blocks", layer.Blocks);
            writer.WriteNumber("blocksPerCell", layer.BlocksPerCell);
            writer.WriteStartArray("heads");
            foreach (var head in layer.Heads)
                Runs(writer, head);
            writer.WriteEndArray();
            writer.WritePropertyName("together");
            Runs(writer, layer.Together);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    // Equal neighbours once: cells, written, kept, shared; flat, because rows are many.
    private static void Runs(Utf8JsonWriter writer, Cell[] cells)
    {
        writer.WriteStartArray();
        for (int first = 0, end; first < cells.Length; first = end)
        {
            for (end = first + 1; end < cells.Length && cells[end] == cells[first];)
                end++;
            writer.WriteNumberValue(end - first);
            writer.WriteNumberValue(cells[first].Written);
            writer.WriteNumberValue(cells[first].Kept);
            writer.WriteNumberValue(cells[first].Shared);
        }
        writer.WriteEndArray();
    }
}
