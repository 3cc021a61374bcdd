using System.Text;
using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary><c>config.json</c> in the shape of Hugging Face Llama models, with <c>s2_attention</c> naming the pattern
/// of each layer.</summary>
/// <remarks>
/// <para>A model whose layers are all dense is written as <c>"model_type": "llama"</c> and loads elsewhere. One with
/// sparse layers is <c>"s2"</c>, so that no other tool runs it densely by mistake.</para>
/// <para>Reading is strict: fields that would change the arithmetic in a way that this library does not compute
/// (biases, sliding windows, multipliers, other activations, most scalings of rotary angles) are refused by name, and
/// so are numbers, switches and tables of which nothing is known.</para>
/// </remarks>
public static class TransformerConfigFile
{
    /// <summary>The largest file that is read.</summary>
    public const int MaxBytes = 1 << 20;

    internal const string DenseModelType = "llama", DenseArchitecture = "LlamaForCausalLM";

    private const string SparseModelType = "s2", Silu = "silu", Swish = "swish", GeluTanh = "gelu_pytorch_tanh";

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is larger than <see cref="MaxBytes"/>, is not valid JSON, or a
    /// field is missing, has a wrong type or value; the message has file, field and value.</exception>
    public static TransformerConfig Read(string path) =>
        JsonValue.Read(path, "a configuration", MaxBytes, root => FromJson(root, path));

    /// <summary>Parses a configuration.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="file">Name for messages.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Read"/>.</exception>
    public static TransformerConfig Parse(ReadOnlyMemory<byte> json, string file) => json.Length <= MaxBytes
        ? JsonValue.Parse(json, file, root => FromJson(root, file))
        : throw new InvalidDataException($"{file}: more than the {MaxBytes} bytes that a configuration may have");

    /// <summary>Writes a configuration as indented JSON.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <exception cref="ArgumentException">The configuration breaks a rule.</exception>
    public static string Format(TransformerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        bool isLlama = config.Attention.Equals(AttentionPlan.Dense) && config.Activation == Activation.SwiGlu;
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("model_type", isLlama ? DenseModelType : SparseModelType);
            if (isLlama)
            {
                writer.WriteStartArray("architectures");
                writer.WriteStringValue(DenseArchitecture);
                writer.WriteEndArray();
            }
            WriteSizes(writer, config);
            if (!isLlama)
                AttentionPlanJson.Write(writer, config.Attention);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void WriteSizes(Utf8JsonWriter writer, TransformerConfig config)
    {
        writer.WriteNumber("vocab_size", config.VocabularySize);
        writer.WriteNumber("hidden_size", config.Dim);
        writer.WriteNumber("num_hidden_layers", config.Layers);
        writer.WriteNumber("num_attention_heads", config.QueryHeads);
        writer.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        writer.WriteNumber("head_dim", config.HeadDim);
        writer.WriteNumber("intermediate_size", config.FeedForwardDim);
        writer.WriteNumber("max_position_embeddings", config.ContextTokens);
        RotaryScaling.Write(writer, config);
        writer.WriteNumber("rms_norm_eps", config.NormEpsilon);
        writer.WriteString("hidden_act", config.Activation == Activation.Gelu ? GeluTanh : Silu);
        writer.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
        writer.WriteString("torch_dtype", "float32");
    }

    private static TransformerConfig FromJson(JsonValue root, string file)
    {
        try
        {
            var config = ReadFields(root).Validate();
            TransformerConfigRules.Check(root, config);
            return config;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

    private static TransformerConfig ReadFields(JsonValue root)
    {
        bool isDense = root.Choice("model_type", null, DenseModelType, SparseModelType) == DenseModelType;
        int dim = root.Integer("hidden_size"), heads = root.Integer("num_attention_heads");
        if (root.Find("head_dim") is null && (heads < 1 || dim % heads != 0))
            throw root.Member("num_attention_heads").Wrong($"a divisor of hidden_size {dim} where head_dim is absent");
        var rotary = RotaryScaling.Read(root);
        return new TransformerConfig
        {
            VocabularySize = root.Integer("vocab_size"),
            Dim = dim,
            Layers = root.Integer("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = root.Integer("num_key_value_heads", heads),
            HeadDim = root.Find("head_dim") is null ? dim / heads : root.Integer("head_dim"),
            FeedForwardDim = root.Integer("intermediate_size"),
            ContextTokens = root.Integer("max_position_embeddings"),
            RopeTheta = rotary.Theta,
            RopeFactor = rotary.Factor,
            NormEpsilon = (float)root.Number("rms_norm_eps", 1e-6),
            TiedEmbeddings = root.Boolean("tie_word_embeddings", false),
            Activation = ReadActivation(root, isDense),
            Attention = isDense ? DenseWithout(root) : AttentionPlanJson.Read(root.Member(AttentionPlanJson.Field)),
        };
    }

    // The feed-forward block of Llama has a gate whatever its activation; a gate with GELU is not computed here, and
    // GELU without a gate is another model.
    private static Activation ReadActivation(JsonValue root, bool isDense)
    {
        string name = isDense ? root.Choice("hidden_act", Silu, Silu, Swish)
            : root.Choice("hidden_act", Silu, Silu, Swish, GeluTanh);
        return name == GeluTanh ? Activation.Gelu : Activation.SwiGlu;
    }

    private static AttentionPlan DenseWithout(JsonValue root) =>
        root.Find(AttentionPlanJson.Field) is { } present
        ? throw present.Wrong($"absent unless model_type is \"{SparseModelType}\"")
        : AttentionPlan.Dense;
}
