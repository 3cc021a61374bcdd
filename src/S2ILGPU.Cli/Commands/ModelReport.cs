using System.Globalization;
using S2ILGPU.Cli.Training;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Templates;

namespace S2ILGPU.Cli.Commands;

/// <summary>What a model folder holds, for a person.</summary>
internal static class ModelReport
{
    // Blocks of longer contexts take long to count.
    private const int MostTokens = 32_768;

    /// <summary>Writes the report.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="description">The model without its weights.</param>
    /// <param name="config">Its configuration, with the attention that it will have.</param>
    /// <param name="files">Its weights.</param>
    /// <param name="chat">Its chat template.</param>
    public static void Write(TextWriter output, ModelDescription description, TransformerConfig config,
        WeightFiles files, ChatTemplate chat)
    {
        int tokens = Math.Min(config.ContextTokens, MostTokens);
        var (kept, dense) = ModelText.CacheElements(config, tokens);
        var lines = new List<string>
        {
            $"model      {config.Architecture}, {ModelText.Sizes(config)}",
            Invariant($"context    {config.ContextTokens:#,0} tokens"),
            Invariant($"weights    {Megabytes(files.SizeBytes)} in {files.Count} file{(files.Count == 1 ? "" : "s")}: ")
                + string.Join(", ", files.Entries.Select(entry => entry.TypeName).Distinct().Order()),
            Invariant($"tokenizer  {description.Tokenizer.VocabularySize:#,0} tokens; ")
                + (description.EndTokens.Count == 0 ? "no token ends a text"
                    : $"a text ends with {string.Join(" or ", description.EndTokens)}")
                + (ReferenceEquals(chat, ChatTemplate.Plain) ? "; no chat template" : "; chat template"),
        };
        if (Drawing(description.Generation) is { Length: > 0 } drawing)
            lines.Add($"drawing    {drawing}");
        lines.AddRange(ModelText.Attention(config, tokens).Select(line => $"attention  {line}"));
        lines.Add(Invariant($"cache      {Megabytes(kept * sizeof(float))} of fp32 after {tokens:#,0} tokens, dense ")
            + Invariant($"attention {Megabytes(dense * sizeof(float))}; bf16 takes half, int8 about a quarter"));
        lines.ForEach(output.WriteLine);
    }

    // What the file says, by its own names.
    private static string Drawing(GenerationDefaults model)
    {
        (string Name, double? Value)[] fields = [("temperature", model.Temperature), ("top_k", model.TopK),
            ("top_p", model.TopP), ("min_p", model.MinP), ("repetition_penalty", model.RepetitionPenalty)];
        var parts = fields.Where(field => field.Value is not null)
            .Select(field => Invariant($"{field.Name} {field.Value:0.######}"))
            .Concat(model.Unused.Select(field => $"{field} (not computed)"));
        return string.Join(", ", parts);
    }

    private static string Megabytes(long bytes) => Invariant($"{bytes / 1e6:#,0.0} MB");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
