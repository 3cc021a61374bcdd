using System.Text.Json.Nodes;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>s2 import</c> and <c>s2 export</c>.</summary>
public sealed class ImportExportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly CpuEngine _engine = new();

    private string Model => _folder["model"];

    private string Out => _folder["out"];

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_pattern_without_fields_needs_the_word_of_the_user()
    {
        TinyModelFolder.Save(Model, _engine);
        await Tool.RefuseAsync($"export --model {Model} --out {Out}",
            "LlamaForCausalLM has no fields for the attention", "(dense, local_stride)",
            "--dense-attention writes it so");
        Assert.False(Directory.Exists(Out));
        string output = await Tool.SucceedAsync($"export --model {Model} --out {Out} --dense-attention");
        Assert.Equal($"LlamaForCausalLM in {Out}: config.json, model.safetensors, tokenizer.json\n", output);
        var config = Config(Out);
        Assert.Equal("llama", (string?)config["model_type"]);
        Assert.Equal("[\"LlamaForCausalLM\"]", config["architectures"]!.ToJsonString());
        Assert.False(config.ContainsKey("s2_attention"));
        Assert.Equal(AttentionPlan.Dense, TransformerConfigFile.Read(Path.Combine(Out, "config.json")).Attention);
        await Tool.RefuseAsync($"export --model {Model} --out {Out} --dense-attention", "is not empty");
    }

    [Fact]
    public async Task A_dense_run_is_a_llama_whatever_its_blocks()
    {
        TinyModelFolder.Save(Model, _engine, TinyModelFolder.Config with
        {
            Attention = new AttentionPlan(new DenseAttention { BlockTokens = 16 }),
        });
        Assert.Equal("s2", (string?)Config(Model)["model_type"]);
        await Tool.SucceedAsync($"export --model {Model} --out {Out} --type bf16 --shard-size 20KB");
        var config = Config(Out);
        Assert.Equal(("llama", "bfloat16"), ((string?)config["model_type"], (string?)config["torch_dtype"]));
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(Out, "model.safetensors.index.json")))!;
        string[] shards = [.. index["weight_map"]!.AsObject().Select(entry => (string)entry.Value!).Distinct()];
        Assert.True(shards.Length > 1, $"{shards.Length} shards");
        long bytes = 0;
        foreach (string shard in shards)
            using (var file = SafetensorsFile.Open(Path.Combine(Out, shard)))
            {
                Assert.Equal("pt", file.Metadata["format"]);
                bytes += file.Entries.Sum(entry => entry.SizeBytes);
            }
        Assert.Equal(bytes, (long)index["metadata"]!["total_size"]!);
        string text = await Tool.SucceedAsync($"generate --model {Out} --prompt Line --max-tokens 9 --device cpu");
        Assert.Equal(text, await Tool.SucceedAsync(
            $"generate --model {Out} --prompt Line --max-tokens 9 --device cpu --precision fp32"));
    }

    [Fact]
    public async Task An_import_checks_joins_and_takes_a_pattern()
    {
        TinyModelFolder.Save(_folder["run"], _engine,
            TinyModelFolder.Config with { Attention = AttentionPlan.Dense });
        await Tool.SucceedAsync($"export --model {_folder["run"]} --out {Model} --shard-size 20000");
        File.WriteAllText(Path.Combine(Model, "chat_template.jinja"), "{{ messages[0].content }}");
        string report = await Tool.SucceedAsync($"import {Model}");
        Assert.Matches(@"^model      LlamaForCausalLM, [0-9,]+ parameters: 2 layers, dim 24, 4 query heads, 2 "
            + @"key/value heads of 8\ncontext    160 tokens\nweights    0\.1 MB in \d files: F32\n"
            + @"tokenizer  [0-9]+ tokens; no token ends a text; chat template\n"
            + @"attention  layers 0-1: .*; keeps 100\.0 % of the causal blocks of 160 tokens\n"
            + @"cache      (.*) of fp32 after 160 tokens, dense attention \1; bf16 takes half, int8 about a quarter\n"
            + @"checked    every weight is finite\n$", report);

        const string plan = "s2:local=1,stride=2,block=16";
        report = await Tool.SucceedAsync($"import {Model} --out {Out} --type bf16 --attention {plan}");
        Assert.Contains($"written    {Out}: chat_template.jinja, config.json, model.safetensors, tokenizer.json\n",
            report);
        Assert.Equal("s2", (string?)Config(Out)["model_type"]);
        await Tool.SucceedAsync($"generate --model {Out} --prompt Line --max-tokens 9 --device cpu");

        await Tool.RefuseAsync($"import {Model} --type bf16", "--type needs --out");
        await Tool.RefuseAsync($"import {_folder["none"]}", "DIR: the folder", "does not exist");
        await Tool.RefuseAsync($"export --model {Model} --out {Out} --shard-size 5XB", "--shard-size must be a size",
            "got 5XB");
    }

    [Fact]
    public async Task Damaged_weights_are_found_before_anything_is_written()
    {
        TinyModelFolder.Save(Model, _engine, TinyModelFolder.Config with { Attention = AttentionPlan.Dense });
        string path = Path.Combine(Model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.TryWriteBytes(bytes.AsSpan(^4), float.NaN);
        File.WriteAllBytes(path, bytes);
        foreach (string command in (string[])[$"import {Model}", $"import {Model} --out {Out}",
            $"export --model {Model} --out {Out}"])
        {
            var run = await Tool.RunAsync(command);
            Assert.Equal(2, run.ExitCode);
            Assert.Matches("^error: .*the weights are damaged: element .* is NaN\n$", run.Error);
        }
        Assert.False(Directory.Exists(Out));
    }

    private static JsonObject Config(string folder) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
}
