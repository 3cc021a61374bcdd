using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>Ranks of a run must be set up alike; a difference is refused by its field before anything is
/// computed.</summary>
internal static class RankAgreement
{
    /// <summary>Compares the setup of all ranks; all of them call it.</summary>
    /// <param name="ranks">All ranks.</param>
    /// <param name="trainer">The trainer of this one.</param>
    /// <param name="shard">What it shares sequences by; null for whole sequences.</param>
    /// <exception cref="RanksDifferException">Two ranks differ.</exception>
    public static void Check(ICollective ranks, Trainer trainer, IContextShard? shard)
    {
        var engine = trainer.Model.Engine;
        string[] texts = Exchange(ranks, engine, string.Join('\n', Fields(trainer, shard)));
        string[] expected = texts[0].Split('\n');
        for (int r = 1; r < texts.Length; r++)
        {
            string[] actual = texts[r].Split('\n');
            for (int i = 0; i < Math.Max(actual.Length, expected.Length); i++)
                if (actual.ElementAtOrDefault(i) is var field && field != expected.ElementAtOrDefault(i))
                    throw new RanksDifferException($"rank {r} has {field ?? "nothing"} where rank 0 has "
                        + $"{expected.ElementAtOrDefault(i) ?? "nothing"}: all ranks of a run need the same");
        }
    }

    private static IEnumerable<string> Fields(Trainer trainer, IContextShard? shard)
    {
        var model = trainer.Model;
        using var options = JsonSerializer.SerializeToDocument(trainer.Options, TrainingJson.Default.TrainingOptions);
        using var config = JsonDocument.Parse(TransformerConfigFile.Format(model.Config));
        foreach (var field in config.RootElement.EnumerateObject().Concat(options.RootElement.EnumerateObject()))
            yield return $"{field.Name} {OneLine(field.Value)}";
        yield return $"MatrixType {model.MatrixType}";
        yield return $"TensorRanks {model.TensorRanks}";
        yield return shard?.ToString() ?? "whole sequences";
        yield return $"data {TrainingState.Fingerprint(trainer)}";
        yield return $"version {typeof(Trainer).Assembly.GetName().Version}";
    }

    private static string OneLine(JsonElement value) =>
        string.Join(' ', value.GetRawText().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    // Texts have different lengths: first those, then the bytes, padded to the longest.
    private static string[] Exchange(ICollective ranks, IEngine engine, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int[] lengths = Gather(ranks, engine, [bytes.Length]);
        int words = (lengths.Max() + sizeof(int) - 1) / sizeof(int);
        int[] padded = new int[words];
        bytes.CopyTo(MemoryMarshal.AsBytes(padded.AsSpan()));
        var all = MemoryMarshal.AsBytes(Gather(ranks, engine, padded).AsSpan());
        string[] texts = new string[lengths.Length];
        for (int r = 0; r < texts.Length; r++)
            texts[r] = Encoding.UTF8.GetString(all.Slice(r * words * sizeof(int), lengths[r]));
        return texts;
    }

    private static int[] Gather(ICollective ranks, IEngine engine, int[] values)
    {
        using Tensor part = engine.FromArray(values),
            all = engine.Allocate(new Shape(values.Length * ranks.Size), ElementType.Int32);
        ranks.AllGather(part, all).Wait();
        return engine.ToIntArray(all);
    }
}
