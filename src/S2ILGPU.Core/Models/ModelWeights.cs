using System.Globalization;
using S2ILGPU.Engines;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The weights of a safetensors file and a model: what must be there, what may be there, and reading
/// it.</summary>
internal static class ModelWeights
{
    private const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";

    // Tables that older tools stored beside the weights; they follow from the configuration.
    private static readonly string[] s_knownBuffers = [".rotary_emb.inv_freq", ".rotary_emb.cos_cached",
        ".rotary_emb.sin_cached"];

    /// <summary>Names and shapes of the weights of a configuration, in the order of
    /// <see cref="TransformerModel.StoredTensors"/>; known before anything is allocated.</summary>
    public static IEnumerable<(string Name, Shape Shape)> Expected(TransformerConfig config)
    {
        var (dim, queries, keys) = (config.Dim, config.QueryHeads * config.HeadDim,
            config.KeyValueHeads * config.HeadDim);
        yield return (Embedding, new Shape(config.VocabularySize, dim));
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string name = $"model.layers.{layer}";
            yield return ($"{name}.input_layernorm.weight", new Shape(dim));
            yield return ($"{name}.self_attn.q_proj.weight", new Shape(queries, dim));
            yield return ($"{name}.self_attn.k_proj.weight", new Shape(keys, dim));
            yield return ($"{name}.self_attn.v_proj.weight", new Shape(keys, dim));
            yield return ($"{name}.self_attn.o_proj.weight", new Shape(dim, queries));
            yield return ($"{name}.post_attention_layernorm.weight", new Shape(dim));
            if (config.Activation == Activation.SwiGlu)
                yield return ($"{name}.mlp.gate_proj.weight", new Shape(config.FeedForwardDim, dim));
            yield return ($"{name}.mlp.up_proj.weight", new Shape(config.FeedForwardDim, dim));
            yield return ($"{name}.mlp.down_proj.weight", new Shape(dim, config.FeedForwardDim));
        }
        yield return ("model.norm.weight", new Shape(dim));
        if (!config.TiedEmbeddings)
            yield return (Head, new Shape(config.VocabularySize, dim));
    }

    /// <summary>Checks that a file holds the weights of a configuration and none that the model would not
    /// read.</summary>
    /// <remarks>An unread tensor is refused where its name uses a part of this model's names (a bias, a norm
    /// of queries, a layer too many, an adapter): another tool would compute with it. Names from elsewhere
    /// (<c>spare.scale</c>) belong to something else and are left alone, whatever their element type.</remarks>
    /// <exception cref="InvalidDataException">A weight is missing, has another shape, or is not read.</exception>
    public static void Check(SafetensorsFile file, TransformerConfig config)
    {
        var names = new HashSet<string>();
        var parts = new HashSet<string>();
        foreach (var (name, shape) in Expected(config))
        {
            CheckShape(file, name, shape);
            names.Add(name);
            parts.UnionWith(name.Split('.').Where(part => part != "weight" && !char.IsAsciiDigit(part[0])));
        }
        parts.Add("lm_head");
        foreach (var entry in file.Entries)
        {
            if (names.Contains(entry.Name) || IsKnownBuffer(entry.Name)
                || !entry.Name.Split('.').Any(parts.Contains))
                continue;
            if (entry.Name == Head)
                CheckTied(file);
            else
                throw new InvalidDataException(
                    $"{file.FilePath}: the model does not read tensor {entry}, with which other tools would compute");
        }
    }

    /// <summary>Checks the shape of one tensor.</summary>
    /// <exception cref="InvalidDataException">It is missing or has another shape.</exception>
    public static void CheckShape(SafetensorsFile file, string name, Shape shape)
    {
        var entry = file.Info(name);
        bool same = entry.Shape.Length == shape.Rank;
        for (int d = 0; same && d < shape.Rank; d++)
            same = entry.Shape[d] == shape[d];
        if (!same)
            throw new InvalidDataException($"{file.FilePath} belongs to another model: {entry}, expected {shape}");
    }

    /// <summary>Reads a tensor into a model.</summary>
    /// <exception cref="InvalidDataException">It is missing, or holds NaN or infinity.</exception>
    public static void Load(SafetensorsFile file, string name, IEngine engine, Tensor destination) =>
        engine.Upload(ReadFinite(file, name), destination);

    /// <summary>Reads weights, or what an optimizer keeps for them.</summary>
    /// <exception cref="InvalidDataException">The tensor is missing, or holds NaN or infinity: every number that is
    /// computed with it would be damaged, mostly without looking so.</exception>
    public static float[] ReadFinite(SafetensorsFile file, string name)
    {
        float[] values = file.ReadSingles(name);
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"{file.FilePath}: the weights are damaged: element {i} of tensor {file.Info(name)} is ")
                    + values[i].ToString(CultureInfo.InvariantCulture));
        return values;
    }

    private static bool IsKnownBuffer(string name) =>
        s_knownBuffers.Any(ending => name.EndsWith(ending, StringComparison.Ordinal));

    // Tools that tie the head to the embedding overwrite a stored head; one that says something else was meant to be
    // used.
    private static void CheckTied(SafetensorsFile file)
    {
        var (head, embedding) = (file.Info(Head), file.Info(Embedding));
        bool same = head.TypeName == embedding.TypeName && head.Shape.SequenceEqual(embedding.Shape);
        Span<byte> left = new byte[1 << 16], right = new byte[1 << 16];
        for (long start = 0; same && start < head.SizeBytes; start += left.Length)
        {
            int count = (int)Math.Min(left.Length, head.SizeBytes - start);
            file.ReadBytes(Head, start, left[..count]);
            file.ReadBytes(Embedding, start, right[..count]);
            same = left[..count].SequenceEqual(right[..count]);
        }
        if (!same)
            throw new InvalidDataException(
                $"{file.FilePath}: {Head} differs from {Embedding}, but tie_word_embeddings is true");
    }
}
