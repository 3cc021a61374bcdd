using System.Text;
using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary><c>config.json</c> in the shapes of Hugging Face models, with <c>s2_attention</c> naming the pattern of
/// each layer where those have no words for it.</summary>
/// <remarks>
/// <para>A model whose attention its architecture can express is written as that (<c>"model_type": "llama"</c>) and
/// loads elsewhere. Another one is <c>"s2"</c>, with the architecture in <c>s2_architecture</c>, so that no other tool
/// runs it densely by mistake.</para>
/// <para>Reading is strict: fields that would change the arithmetic in a way that this library does not compute are
/// refused by name, and so are numbers, switches and tables of which nothing is known.</para>
/// </remarks>
public static class TransformerConfigFile
{
    /// <summary>The largest file that is read.</summary>
    public const int MaxBytes = 1 << 20;

    internal const string ModelTypeKey = "model_type", SparseModelType = "s2", ArchitectureKey = "s2_architecture";

    private const string TypeKey = "torch_dtype";

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
        return Json(writer => Write(writer, config, SafetensorsType.Float32));
    }

    /// <summary>Writes a configuration like another file, which keeps its spelling: every field of it where it says the
    /// same configuration, otherwise those that do not concern the arithmetic, as the tokens that begin and end a
    /// text.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="path">The other file.</param>
    /// <param name="weights">Element type of the weights beside the new file; null for as the other file
    /// says.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Read"/>.</exception>
    internal static string FormatLike(TransformerConfig config, string path, SafetensorsType? weights) =>
        JsonValue.Read(path, "a configuration", MaxBytes, root =>
        {
            bool isSame = FromJson(root, path) == config;
            var kept = root.Members().Where(member => isSame
                || (TransformerConfigRules.IsHarmless(member.Name) && !(weights is not null && IsType(member.Name))));
            return Json(writer =>
            {
                if (!isSame)
                    Write(writer, config, weights);
                else if (weights is not null && !root.Members().Any(member => IsType(member.Name)))
                    WriteType(writer, TypeKey, weights.Value);
                foreach (var (name, value) in kept)
                    if (IsType(name) && weights is { } type)
                        WriteType(writer, name, type);
                    else
                    {
                        writer.WritePropertyName(name);
                        writer.WriteRawValue(value.Raw);
                    }
            });
        });

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    // The second is the first one's newer name.
    private static bool IsType(string name) => name is TypeKey or "dtype";

    private static void WriteType(Utf8JsonWriter writer, string name, SafetensorsType type) =>
        writer.WriteString(name, type switch
        {
            SafetensorsType.BFloat16 => "bfloat16",
            SafetensorsType.Float16 => "float16",
            SafetensorsType.Float64 => "float64",
            _ => "float32",
        });

    // What the fields of the architecture say, or a model of ours.
    private static void Write(Utf8JsonWriter writer, TransformerConfig config, SafetensorsType? weights)
    {
        var architecture = ModelArchitecture.Named(config.Architecture);
        bool isExpressed = architecture.Expresses(config);
        writer.WriteString(ModelTypeKey, isExpressed ? architecture.ModelType : SparseModelType);
        if (isExpressed)
        {
            writer.WriteStartArray("architectures");
            writer.WriteStringValue(architecture.Name);
            writer.WriteEndArray();
        }
        else if (config.Architecture != ModelArchitecture.Default)
            writer.WriteString(ArchitectureKey, config.Architecture);
        architecture.Write(writer, config);
        if (weights is { } type)
            WriteType(writer, TypeKey, type);
        if (isExpressed)
            architecture.WriteAttention(writer, config);
        else
            AttentionPlanJson.Write(writer, config.Attention);
    }

    private static TransformerConfig FromJson(JsonValue root, string file)
    {
        try
        {
            var fields = new ConfigFields(root);
            var config = ReadFields(fields).Validate();
            TransformerConfigRules.Check(fields, config);
            return config;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

    private static TransformerConfig ReadFields(ConfigFields fields)
    {
        string type = fields.Choice(ModelTypeKey, null,
            [.. ModelArchitecture.All.Select(a => a.ModelType), SparseModelType]);
        if (type == SparseModelType)
        {
            string name = fields.Choice(ArchitectureKey, ModelArchitecture.Default,
                [.. ModelArchitecture.All.Select(a => a.Name)]);
            return ModelArchitecture.Named(name).Read(fields) with
            {
                Attention = AttentionPlanJson.Read(fields.Member(AttentionPlanJson.Field)),
            };
        }
        if (fields.Find(AttentionPlanJson.Field) is { } present)
            throw present.Wrong($"absent unless {ModelTypeKey} is \"{SparseModelType}\"");
        var architecture = ModelArchitecture.All.First(a => a.ModelType == type);
        var config = architecture.Read(fields);
        return config with { Attention = architecture.ReadAttention(fields, config.Validate()) };
    }
}
