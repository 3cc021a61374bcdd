using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>A folder with a Llama of one layer as other tools write it, to be changed file by file. Its losses were
/// computed in float64 by other code: 7.489211 nats per token of <see cref="Text"/> as it stands here.</summary>
internal sealed class TinyLlama : IDisposable
{
    public const string Text = "abc hello world, 42 apples!";

    public const string Rope = "\"rope_theta\": 10000.0";

    public const string Config = """
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 257, "hidden_size": 16,
         "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
         "intermediate_size": 16, "max_position_embeddings": 64, "rope_theta": 10000.0, "rms_norm_eps": 1e-05,
         "hidden_act": "silu", "tie_word_embeddings": true}
        """;

    private static readonly string s_weights = Repository.PathOf("tests", "S2ILGPU.Core.Tests", "Models", "Fixtures",
        "tiny-llama.safetensors");

    private readonly TemporaryFolder _folder = new();

    public TinyLlama(string? config = null)
    {
        _folder.Write("config.json", config ?? Config);
        File.Copy(s_weights, this["model.safetensors"]);
        new BytePairTrainer().Build(257).Save(this["tokenizer.json"]); // a token per byte, and the end of a text
    }

    public string Path => _folder.FullPath;

    public string this[string name] => _folder[name];

    public string Write(string name, string text) => _folder.Write(name, text);

    /// <summary>Writes the weights anew.</summary>
    /// <param name="change">Gets each tensor's name and values; null leaves a tensor out.</param>
    /// <param name="more">Tensors beside them.</param>
    public void Rewrite(Func<string, float[], float[]?> change, params SafetensorsTensor[] more)
    {
        var tensors = new List<SafetensorsTensor>();
        using (var file = SafetensorsFile.Open(s_weights))
            foreach (var entry in file.Entries)
                if (change(entry.Name, file.ReadSingles(entry.Name)) is { } values)
                    tensors.Add(new SafetensorsTensor(entry.Name, SafetensorsType.Float32, ShapeOf(entry, values),
                        values));
        SafetensorsFile.Write(this["model.safetensors"], [.. tensors, .. more]);
    }

    /// <summary>Adds tensors to the weights.</summary>
    public void Add(params SafetensorsTensor[] more) => Rewrite((_, values) => values, more);

    public void Dispose() => _folder.Dispose();

    // More values than before are more rows.
    private static long[] ShapeOf(SafetensorsEntry entry, float[] values) => entry.Shape.Length == 1
        ? [values.Length] : [values.Length / entry.Shape[1], entry.Shape[1]];
}
