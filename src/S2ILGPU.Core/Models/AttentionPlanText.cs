using System.Globalization;
using S2ILGPU.Patterns;

namespace S2ILGPU.Models;

/// <summary>Plans as a command line spells them: see <see cref="AttentionPlan.Parse"/>.</summary>
internal static class AttentionPlanText
{
    private const string Dense = "dense", EveryDense = "dense/", Sparse = "s2", Window = "window", Block = "block";

    // Shells leave it alone, unlike ; and |.
    private const char Separator = '+';

    public static AttentionPlan Parse(string text, int layers)
    {
        if (text.Length > 0 && char.IsAsciiDigit(text[0]))
            return PerLayer(text, layers);
        if (!text.StartsWith(EveryDense, StringComparison.Ordinal))
            return new AttentionPlan(Entry(text));
        int end = text.IndexOf(':', StringComparison.Ordinal);
        if (end < 0)
            throw new ArgumentException($"{text}: the attention of the other layers is missing, as in dense/2:s2");
        int distance = Number(text[EveryDense.Length..end], EveryDense);
        return AttentionPlan.EveryDense(layers, distance, Entry(text[(end + 1)..]));
    }

    // Parts as 0-3=dense or 4-=s2:local=16, which name every layer once.
    private static AttentionPlan PerLayer(string text, int layers)
    {
        if (layers < 1)
            throw new ArgumentException($"an attention plan needs at least one layer, got {layers}");
        string[] parts = text.Split(Separator);
        var (plan, partOf) = (new AttentionConfig[layers], new string?[layers]);
        foreach (string part in parts)
        {
            if (part.Split('=', 2) is not [var range, var attention])
                throw new ArgumentException($"'{part}' is not layers with their attention, as in 0-3=dense");
            var (first, last) = Layers(range, layers);
            var entry = Entry(attention);
            for (int layer = first; layer <= last; layer++)
            {
                if (partOf[layer] is { } other)
                    throw new ArgumentException($"layer {layer} has its attention twice: '{other}' and '{part}'");
                (plan[layer], partOf[layer]) = (entry, part);
            }
        }
        int[] missing = [.. Enumerable.Range(0, layers).Where(layer => partOf[layer] is null)];
        if (missing.Length > 0)
            throw new ArgumentException(
                $"{text} leaves out {missing.Length} of {layers} layers, the first of them {missing[0]}");
        // A dense layer without a block size has that of the others, as in dense/2:.
        int? block = plan.FirstOrDefault(entry => entry is not DenseAttention)?.BlockTokens;
        return new AttentionPlan(plan.Select((entry, layer) => partOf[layer]!.EndsWith($"={Dense}",
            StringComparison.Ordinal) ? entry with { BlockTokens = block ?? entry.BlockTokens } : entry));
    }

    // One layer, the first and last of several, or the first of all that follow: 4, 0-3, 4-.
    private static (int First, int Last) Layers(string range, int layers)
    {
        string[] ends = range.Split('-', 2);
        int first = Number(ends[0], "a layer"),
            last = ends.Length == 1 ? first : ends[1].Length == 0 ? layers - 1 : Number(ends[1], "a layer");
        if (Math.Max(first, last) >= layers)
            throw new ArgumentException($"layers are 0 to {layers - 1}, got {range}");
        return first <= last ? (first, last)
            : throw new ArgumentException($"the first layer of {range} comes after the last one");
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
