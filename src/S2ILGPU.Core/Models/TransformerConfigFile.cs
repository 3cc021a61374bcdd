using System.Text;
using System.Text.Json;

namespace S2ILGPU.Models;

/// <summary><c>config.json</c> in the shape of Hugging Face Llama models, with <c>s2_attention</c> naming the pattern
/// of each layer.</summary>
/// <remarks>
/// <para>A model whose layers are all dense is written as <c>"model_type": "llama"</c> and loads elsewhere. One with
/// sparse layers is <c>"s2"</c>, so that no other tool runs it densely by mistake.</para>
/// <para>Reading is strict: fields that would change the arithmetic in a way that this library does not compute
/// (biases, scaled rotary angles, other activations) are refused; fields that do not concern it are ignored.</para>
/// </remarks>
public static class TransformerConfigFile
{
    /// <summary>The largest file that is read.</summary>
    public const int MaxBytes = 1 << 20;

    private const string DenseModelType = "llama", SparseModelType = "s2", Silu = "silu",
        GeluTanh = "gelu_pytorch_tanh";

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is larger than <see cref="MaxBytes"/>, is not valid JSON, or a
    /// field is missing, has a wrong type or value; the message has file, field and value.</exception>
    public static TransformerConfig Read(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"there is no configuration file {path}", path);
        if (new FileInfo(path).Length > MaxBytes)
            throw new InvalidDataException(
                $"{path}: {new FileInfo(path).Length} bytes are more than the {MaxBytes} of a configuration");
        return Parse(File.ReadAllBytes(path), path);
    }

    /// <summary>Parses a configuration.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="file">Name for messages.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Read"/>.</exception>
    public static TransformerConfig Parse(ReadOnlyMemory<byte> json, string file)
    {
        if (json.Length > MaxBytes)
            throw new InvalidDataException(
                $"{file}: {json.Length} bytes are more than the {MaxBytes} of a configuration");
        try
        {
            using var document = JsonDocument.Parse(json,
                new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false });
            return FromJson(new JsonFields(file, "", document.RootElement)).Validate();
        }
        // the latter for broken surrogates in names
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{file}: not valid JSON: {e.Message}", e);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

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
                writer.WriteStringValue("LlamaForCausalLM");
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
        writer.WriteNumber("rope_theta", config.RopeTheta);
        writer.WriteNumber("rms_norm_eps", config.NormEpsilon);
        writer.WriteString("hidden_act", config.Activation == Activation.Gelu ? GeluTanh : Silu);
        writer.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
        writer.WriteString("torch_dtype", "float32");
    }

    private static TransformerConfig FromJson(JsonFields fields)
    {
        string modelType = fields.Text("model_type", null, DenseModelType, SparseModelType);
        RefuseForeignMaths(fields);
        int dim = fields.Integer("hidden_size"), heads = fields.Integer("num_attention_heads");
        if (fields.Optional("head_dim") is null && (heads < 1 || dim % heads != 0))
            throw fields.Wrong("num_attention_heads",
                $"a divisor of hidden_size {dim} where head_dim is absent", heads);
        return new TransformerConfig
        {
            VocabularySize = fields.Integer("vocab_size"),
            Dim = dim,
            Layers = fields.Integer("num_hidden_layers"),
            QueryHeads = heads,
            KeyValueHeads = fields.Integer("num_key_value_heads", heads),
            HeadDim = fields.Optional("head_dim") is null ? dim / heads : fields.Integer("head_dim"),
            FeedForwardDim = fields.Integer("intermediate_size"),
            ContextTokens = fields.Integer("max_position_embeddings"),
            RopeTheta = fields.Optional("rope_parameters") is { } rope
                ? RopeTheta(fields.Object("rope_parameters", rope)) : fields.Number("rope_theta", 10000),
            NormEpsilon = (float)fields.Number("rms_norm_eps", 1e-6),
            TiedEmbeddings = fields.Boolean("tie_word_embeddings", false),
            Activation = fields.Text("hidden_act", Silu, Silu, GeluTanh) == GeluTanh ? Activation.Gelu
                : Activation.SwiGlu,
            Attention = modelType == SparseModelType ? AttentionPlanJson.Read(fields) : DenseWithout(fields),
        };
    }

    private static double RopeTheta(JsonFields rope)
    {
        rope.Text("rope_type", "default", "default");
        return rope.Number("rope_theta", 10000);
    }

    private static AttentionPlan DenseWithout(JsonFields fields) =>
        fields.Optional(AttentionPlanJson.Field) is { } present
        ? throw fields.Wrong(AttentionPlanJson.Field, $"absent unless model_type is \"{SparseModelType}\"", present)
        : AttentionPlan.Dense;

    private static void RefuseForeignMaths(JsonFields fields)
    {
        foreach (string name in (ReadOnlySpan<string>)["attention_bias", "mlp_bias"])
            if (fields.Boolean(name, false))
                throw fields.Wrong(name, "false", true);
        foreach (string name in (ReadOnlySpan<string>)["rope_scaling", "sliding_window"])
            if (fields.Optional(name) is { } value)
                throw fields.Wrong(name, "null", value);
        if (fields.Number("partial_rotary_factor", 1) is var factor and not 1)
            throw fields.Wrong("partial_rotary_factor", "1", factor);
    }
}
