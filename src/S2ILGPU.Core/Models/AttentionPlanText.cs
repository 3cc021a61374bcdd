using System.Globalization;
using S2ILGPU.Patterns;

namespace S2ILGPU.Models;

/// <summary>Plans as a command line spells them: see <see cref="AttentionPlan.Parse"/>.</summary>
internal static class AttentionPlanText
{
    private const string Dense = "dense", EveryDense = "dense/", Sparse = "s2", Window = "window", Block = "block";

    public static AttentionPlan Parse(string text, int layers)
    {
        if (!text.StartsWith(EveryDense, StringComparison.Ordinal))
            return new AttentionPlan(Entry(text));
        int end = text.IndexOf(':', StringComparison.Ordinal);
        if (end < 0)
            throw new ArgumentException($"{text}: the attention of the other layers is missing, as in dense/2:s2");
        int distance = Number(text[EveryDense.Length..end], EveryDense);
        return AttentionPlan.EveryDense(layers, distance, Entry(text[(end + 1)..]));
    }

    private static AttentionConfig Entry(string text)
    {
        string[] parts = text.Split(':', 2);
        var fields = Fields(parts.Length > 1 ? parts[1] : "");
        AttentionConfig entry = parts[0] switch
        {
            Dense => new DenseAttention(),
            Sparse => ReadSparse(fields),
            Window => new TokenWindowAttention { WindowTokens = Take(fields, "tokens", 4096) },
            _ when SampleAttentionOptions.Names(text) => throw new ArgumentException(
                $"{parts[0]} is a way to run a dense model, for generate, eval and serve; it cannot be its own"),
            _ => throw new ArgumentException($"attention must begin with {Dense}, {Sparse} or {Window}, got '{text}'"),
        };
        entry = entry with { BlockTokens = Take(fields, Block, entry.BlockTokens) };
        return fields.Count == 0 ? entry
            : throw new ArgumentException($"{text}: '{fields.Keys.First()}' is unknown in {parts[0]}");
    }

    private static LocalStrideAttention ReadSparse(Dictionary<string, string> fields)
    {
        var defaults = new LocalStrideAttention();
        return new LocalStrideAttention
        {
            LocalBlocks = Take(fields, "local", defaults.LocalBlocks),
            VerticalStride = Take(fields, "stride", defaults.VerticalStride),
            Stripes = new StripeOptions
            {
                HeadOffset = Take(fields, "offset", 0),
                DenseHeads = Take(fields, "dense-heads", 0),
                HomogeneousHeads = Take(fields, "homogeneous", 0) != 0,
                SlideByQueryHead = (fields.Remove("slide", out string? slide) ? slide : "kv") switch
                {
                    "query" => true,
                    "kv" => false,
                    var other => throw new ArgumentException($"slide must be query or kv, got '{other}'"),
                },
            },
        };
    }

    /// <summary>The fields <c>name=value,name=value</c>.</summary>
    public static Dictionary<string, string> Fields(string text)
    {
        var fields = new Dictionary<string, string>();
        foreach (string field in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] sides = field.Split('=');
            if (sides.Length != 2 || !fields.TryAdd(sides[0], sides[1]))
                throw new ArgumentException($"'{field}' is not a name with a value of its own, as in local=16");
        }
        return fields;
    }

    /// <summary>Takes a whole number out of the fields.</summary>
    public static int Take(Dictionary<string, string> fields, string name, int absent) =>
        fields.Remove(name, out string? value) ? Number(value, name) : absent;

    private static int Number(string text, string name) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : throw new ArgumentException($"{name} must be a whole number, got '{text}'");
}
