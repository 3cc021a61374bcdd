using System.Text.Json;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A pattern as one line of JSON, for programs.</summary>
internal static class PatternJson
{
    /// <summary>Writes the kept key blocks of every row of every pattern head, and the checks.</summary>
    public static void Write(PatternComparison comparison, Stream stream)
    {
        var report = comparison.Chosen;
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("blocks", report.Layout.KeyBlocks);
            json.WriteStartArray("heads");
            for (int head = 0; head < report.Layout.Heads; head++)
                WriteHead(json, report.Layout, head);
            json.WriteEndArray();
            WriteChecks(json, report);
            json.WriteStartObject("otherSlideBy");
            json.WriteString("slideBy", PatternComparison.SlideBy(comparison.Other));
            WriteChecks(json, comparison.Other);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    private static void WriteHead(Utf8JsonWriter json, BlockLayout layout, int head)
    {
        json.WriteStartObject();
        json.WriteStartArray("rows");
        for (int queryBlock = layout.FirstQueryBlock; queryBlock < layout.KeyBlocks; queryBlock++)
        {
            var row = layout.Row(head, queryBlock);
            json.WriteStartArray();
            WriteNumbers(json, row.Full);
            WriteNumbers(json, row.Partial); // the diagonal block, after all others of its row
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
    }

    private static void WriteChecks(Utf8JsonWriter json, PatternReport report)
    {
        json.WriteNumber("keptFraction", report.KeptFraction);
        json.WriteStartObject("coverage");
        json.WriteBoolean("complete", report.Coverage.IsComplete);
        json.WriteStartArray("missingResidues");
        WriteNumbers(json, [.. report.Coverage.MissingResidues]);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteBoolean("cacheEfficient", report.IsCacheEfficient);
        json.WriteStartArray("keptCacheBlocks");
        WriteNumbers(json, [.. report.KeptCacheBlocks]);
        json.WriteEndArray();
        json.WriteNumber("denseOverSparse", report.DenseOverSparse);
    }

    private static void WriteNumbers(Utf8JsonWriter json, ReadOnlySpan<int> numbers)
    {
        foreach (int number in numbers)
            json.WriteNumberValue(number);
    }
}
