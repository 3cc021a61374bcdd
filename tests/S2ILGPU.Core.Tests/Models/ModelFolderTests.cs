using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

public sealed class ModelFolderTests : IDisposable
{
    private readonly CpuEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    // Expected values are those of float64 code that is not ours.
    [Theory]
    [InlineData("\"rope_theta\": 10000.0", 7.489211)]
    [InlineData("\"rope_theta\": null", 7.489211)]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"default\"}", 7.489211)]
    [InlineData("\"rope_theta\": 500.0", 7.242028)]
    [InlineData("\"rope_theta\": 500.0, \"rope_parameters\": {\"rope_type\": \"default\"}", 7.242028)]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500}", 7.242028)]
    [InlineData("\"rope_theta\": 500, \"rope_parameters\": {\"rope_theta\": 500.0}", 7.242028)]
    [InlineData("\"rope_parameters\": {\"type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 10000.0}", 7.593716)]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4}", 7.593716)]
    [InlineData("\"rope_theta\": 10000.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}", 7.593716)]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\", \"type\": \"linear\", \"factor\": 4.0}", 7.593716)]
    public void Reads_rotary_angles_in_every_spelling(string rope, double expected)
    {
        using var folder = new TinyLlama(TinyLlama.Config.Replace(TinyLlama.Rope, rope));
        Assert.Equal(expected, Loss(folder), 2e-6);
    }

    [Fact]
    public void Reads_files_that_begin_with_a_byte_order_mark()
    {
        using var folder = new TinyLlama("\uFEFF" + TinyLlama.Config);
        folder.Write("tokenizer.json", "\uFEFF" + File.ReadAllText(folder["tokenizer.json"]));
        folder.Write("generation_config.json", "\uFEFF{}");
        Assert.Equal(7.489211, Loss(folder), 2e-6);
    }

    [Fact]
    public void Reads_files_behind_links()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege there");
        using TinyLlama folder = new(), links = new();
        foreach (string name in (string[])["config.json", "model.safetensors", "tokenizer.json"])
        {
            File.Delete(links[name]);
            File.CreateSymbolicLink(links[name], folder[name]);
        }
        Assert.Equal(7.489211, Loss(links), 2e-6);
    }

    [Theory]
    [InlineData("spare.scale", "F8_E8M0")]
    [InlineData("spare.scale", "F4")]
    [InlineData("score.weight", "U8")]
    [InlineData("model.layers.0.self_attn.rotary_emb.inv_freq", "U8")]
    public void Leaves_tensors_alone_that_are_not_its_own(string name, string type)
    {
        using var folder = new TinyLlama();
        folder.Add(new SafetensorsTensor(name, SafetensorsType.UInt8, [4], stream => stream.Write([1, 2, 3, 4])));
        Retype(folder["model.safetensors"], "\"U8\"", $"\"{type}\"");
        Assert.Equal(7.489211, Loss(folder), 2e-6);
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.bias")]
    [InlineData("model.layers.0.mlp.down_proj.bias")]
    [InlineData("model.layers.0.self_attn.q_norm.weight")]
    [InlineData("model.layers.1.input_layernorm.weight")]
    [InlineData("model.norm.bias")]
    [InlineData("lm_head.bias")]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")]
    public void Refuses_weights_that_no_layer_reads(string name)
    {
        using var folder = new TinyLlama();
        folder.Add(new SafetensorsTensor(name, SafetensorsType.Float32, [2], new float[2]));
        Assert.Equal($"{folder["model.safetensors"]}: the model does not read tensor {name} F32 [2], with which other "
            + "tools would compute", Refusal(folder));
    }

    [Fact]
    public void Names_weights_that_are_missing_or_of_another_shape()
    {
        using var folder = new TinyLlama();
        folder.Rewrite((name, values) => name.EndsWith("k_proj.weight") ? null : values);
        Assert.Contains("holds no tensor 'model.layers.0.self_attn.k_proj.weight'", Refusal(folder));
        folder.Rewrite((name, values) => name.EndsWith("up_proj.weight") ? values[..^16] : values);
        Assert.Contains("model.layers.0.mlp.up_proj.weight F32 [15, 16], expected [16, 16]", Refusal(folder));
        File.Delete(folder["model.safetensors"]);
        Assert.Throws<FileNotFoundException>(() => ModelFolder.LoadModel(folder.Path, _engine));
    }

    // A configuration may claim any size: what the file does not hold is not allocated.
    [Fact]
    public void Checks_shapes_before_it_allocates()
    {
        using var folder = new TinyLlama(TinyLlama.Config.Replace("\"vocab_size\": 257", "\"vocab_size\": 16000000")
            .Replace("\"hidden_size\": 16", "\"hidden_size\": 65536"));
        Assert.Contains("model.embed_tokens.weight F32 [257, 16], expected [16000000, 65536]", Refusal(folder));
        Assert.Equal(0, _engine.PeakBytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Knows_its_weights_by_the_names_that_the_model_gives_them(bool isGated)
    {
        var config = TinyModels.Config(TinyModels.Dense, TinyModels.Sparse) with { TiedEmbeddings = isGated,
            Activation = isGated ? Activation.SwiGlu : Activation.Gelu };
        using var model = new TransformerModel(_engine, config);
        Assert.Equal(model.StoredTensors.Select(stored => (stored.Name, stored.Tensor.Shape)),
            ModelParameters.Of(config).Stored);
    }

    [Fact]
    public void Accepts_a_stored_head_that_equals_the_tied_embedding()
    {
        using var folder = new TinyLlama();
        float[] embedding = [];
        folder.Rewrite((name, values) => name.Contains("embed") ? embedding = values : values);
        folder.Add(new SafetensorsTensor("lm_head.weight", SafetensorsType.Float32, [257, 16], embedding));
        Assert.Equal(7.489211, Loss(folder), 2e-6);
        float[] other = [.. embedding];
        other[^1]++;
        folder.Add(new SafetensorsTensor("lm_head.weight", SafetensorsType.Float32, [257, 16], other));
        Assert.Contains("lm_head.weight differs from model.embed_tokens.weight, but tie_word_embeddings is true",
            Refusal(folder));
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    public void Refuses_damaged_weights(float value, string spelled)
    {
        using var folder = new TinyLlama();
        folder.Rewrite((name, values) =>
        {
            if (name.EndsWith("k_proj.weight"))
                values[5] = value;
            return values;
        });
        Assert.EndsWith("the weights are damaged: element 5 of tensor model.layers.0.self_attn.k_proj.weight F32 "
            + $"[8, 16] is {spelled}", Refusal(folder));
    }

    [Fact]
    public void Refuses_weights_that_come_through_a_pipe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no pipes among files there");
        using var folder = new TinyLlama();
        File.Delete(folder["model.safetensors"]);
        using (var make = Process.Start("mkfifo", [folder["model.safetensors"]]))
            make.WaitForExit();
        Assert.Contains("is a pipe or a device", Refusal(folder));
    }

    [Fact]
    public void Refuses_a_tokenizer_with_more_tokens_than_the_model()
    {
        using var folder = new TinyLlama();
        new BytePairTrainer().Build(258, ["<|endoftext|>", "<|more|>"]).Save(folder["tokenizer.json"]);
        string message = Assert.Throws<InvalidDataException>(() => ModelFolder.Load(folder.Path, _engine)).Message;
        Assert.Equal($"{folder.Path}: tokenizer.json has 258 tokens, more than the 257 of the model: they do not "
            + "belong together", message);
        using var model = ModelFolder.LoadModel(folder.Path, _engine);
        Assert.Contains("the tokenizer has 258 tokens, the model only 257", Assert.Throws<ArgumentException>(() =>
            new TextGenerator(model, BytePairTokenizer.Load(folder["tokenizer.json"]))).Message);
    }

    // A vocabulary padded to a round number; the rows beyond the tokens would be by far the most likely.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Never_draws_ids_beyond_the_tokens(float temperature)
    {
        using var folder = new TinyLlama(TinyLlama.Config.Replace("257", "320"));
        folder.Rewrite((name, values) => !name.Contains("embed") ? values
            : [.. values, .. Enumerable.Range(0, 63)
                .SelectMany(row => values[^16..].Select(x => (row % 2 * 18 - 9) * x))]);
        using var loaded = ModelFolder.Load(folder.Path, _engine);
        using var generator = new TextGenerator(loaded.Model, loaded.Tokenizer, endTokens: []);
        var sampling = new SamplingOptions { Temperature = temperature, TopK = 0, TopP = 1 };
        string text = string.Concat(generator.Generate("abc", 20, sampling, TestContext.Current.CancellationToken));
        Assert.NotEmpty(text);
    }

    [Theory]
    [InlineData("7", null, new[] { 7, 256 })]
    [InlineData("[7, 9]", null, new[] { 7, 9, 256 })]
    [InlineData("null", "[11, 9]", new[] { 9, 11, 256 })]
    [InlineData("7", "{\"eos_token_id\": 9}", new[] { 7, 9, 256 })]
    [InlineData("-1", "[5000]", new[] { 256 })]
    public void Knows_every_token_that_ends_a_text(string configured, string? generation, int[] expected)
    {
        using var folder = new TinyLlama(
            TinyLlama.Config.Replace("{\"model", $"{{\"eos_token_id\": {configured}, \"model"));
        if (generation is not null)
            folder.Write("generation_config.json",
                generation.StartsWith('{') ? generation : $"{{\"eos_token_id\": {generation}}}");
        using var loaded = ModelFolder.Load(folder.Path, _engine);
        Assert.Equal(expected, loaded.EndTokens);
    }

    // A tokenizer without a known name for the end of a text: its files name the token.
    [Theory]
    [InlineData(null, null, null)]
    [InlineData("7", null, 7)]
    [InlineData(null, "[11, 9]", 9)]
    [InlineData("5000", "9", 9)]
    public void Documents_end_with_the_token_of_the_files(string? configured, string? generation, int? expected)
    {
        using var folder = new TinyLlama(TinyLlama.Config.Replace("{\"model",
            $"{{\"eos_token_id\": {configured ?? "null"}, \"model"));
        new BytePairTrainer().Build(257, ["<|turn|>"]).Save(folder["tokenizer.json"]);
        folder.Write("generation_config.json", $"{{\"eos_token_id\": {generation ?? "null"}}}");
        using var loaded = ModelFolder.Load(folder.Path, _engine);
        Assert.Equal(expected, loaded.EndOfText);
        using var generator = new TextGenerator(loaded.Model, loaded.Tokenizer, endTokens: loaded.EndTokens);
        var begin = () => generator.Generate("", 1, new SamplingOptions()).Count();
        if (expected is { } token)
        {
            begin();
            var data = TokenDataset.Create(loaded.Tokenizer, Corpus.FromText("ab"), loaded.EndOfText);
            Assert.Equal(['a', 'b', token], data.Tokens);
        }
        else
            Assert.Contains("no token that ends a text", Assert.Throws<ArgumentException>(() => begin()).Message);
    }

    [Fact]
    public void Ends_a_text_at_any_of_its_end_tokens()
    {
        using var folder = new TinyLlama();
        using var loaded = ModelFolder.Load(folder.Path, _engine);
        var greedy = new SamplingOptions { Temperature = 0 };
        string Generate(int[] endTokens)
        {
            using var generator = new TextGenerator(loaded.Model, loaded.Tokenizer, endTokens: endTokens);
            return string.Concat(generator.Generate("abc", 8, greedy, TestContext.Current.CancellationToken));
        }
        byte[] whole = Encoding.UTF8.GetBytes(Generate([]));
        using var decoder = new TransformerDecoder(loaded.Model);
        float[] logits = new float[257];
        decoder.Append(loaded.Tokenizer.Encode("abc"), logits);
        int first = Array.IndexOf(logits, logits.Max());
        Assert.NotEmpty(whole);
        Assert.Equal("", Generate([first]));
        Assert.Equal("", Generate([first == 3 ? 4 : 3, first]));
    }

    [Theory]
    [InlineData("\"x\"", "generation_config.json: eos_token_id must be an integer, got \"x\"")]
    [InlineData("[1.5]", "generation_config.json: eos_token_id[0] must be an integer, got 1.5")]
    public void Names_wrong_end_tokens(string value, string message)
    {
        using var folder = new TinyLlama();
        folder.Write("generation_config.json", $"{{\"eos_token_id\": {value}}}");
        Assert.EndsWith(message,
            Assert.Throws<InvalidDataException>(() => ModelFolder.Load(folder.Path, _engine)).Message);
    }

    [Fact]
    public void Tells_its_progress_and_stops_when_asked()
    {
        using var folder = new TinyLlama();
        var told = new List<double>();
        using var stop = new CancellationTokenSource();
        using (ModelFolder.LoadModel(folder.Path, _engine, progress: new Told(told.Add), cancellation: stop.Token))
        {
        }
        Assert.Equal(told.Order(), told);
        Assert.Equal((11, 1.0), (told.Count, told[^1]));
        Assert.Throws<OperationCanceledException>(() => ModelFolder.LoadModel(folder.Path, _engine,
            progress: new Told(_ => stop.Cancel()), cancellation: stop.Token));
        Assert.Equal(0, _engine.UsedBytes);
    }

    [Fact]
    public void Writes_a_stretched_context_as_it_reads_it()
    {
        var config = new TransformerConfig { RopeScaling = new LinearScaling(2.5), Attention = AttentionPlan.Dense };
        string json = TransformerConfigFile.Format(config);
        Assert.Equal("linear", (string?)JsonNode.Parse(json)!["rope_scaling"]!["type"]);
        Assert.Equal(config, TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(json), "config.json"));
    }

    private double Loss(TinyLlama folder)
    {
        using var loaded = ModelFolder.Load(folder.Path, _engine);
        var data = TokenDataset.Create(loaded.Tokenizer, Corpus.FromText(TinyLlama.Text));
        return Evaluation.MeanLoss(loaded.Model, data, loaded.Model.Config.ContextTokens);
    }

    private string Refusal(TinyLlama folder) =>
        Assert.Throws<InvalidDataException>(() => ModelFolder.Load(folder.Path, _engine)).Message;

    // Names of element types differ in length: spaces of the header's padding make up for it.
    private static void Retype(string path, string old, string replacement)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int length = (int)BitConverter.ToInt64(bytes);
        string header = Encoding.UTF8.GetString(bytes, 8, length).TrimEnd().Replace(old, replacement);
        byte[] changed = Encoding.UTF8.GetBytes(header + new string(' ', 8 - header.Length % 8));
        File.WriteAllBytes(path,
            [.. BitConverter.GetBytes((long)changed.Length), .. changed, .. bytes[(8 + length)..]]);
    }

    private sealed class Told(Action<double> tell) : IProgress<double>
    {
        public void Report(double value) => tell(value);
    }
}
