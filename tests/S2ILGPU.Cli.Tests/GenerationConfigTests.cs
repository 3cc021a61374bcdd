using System.Text.Json;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>What a model's files say about drawing, and about the end of a text, holds where options say
/// nothing.</summary>
public sealed class GenerationConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Model => _folder["model"];

    private string Generation => Path.Combine(Model, ModelFolder.GenerationConfig);

    public GenerationConfigTests()
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        TinyModelFolder.Save(Model, engine, TinyModelFolder.Config with { Attention = AttentionPlan.Dense });
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Generation_begins_with_what_the_model_says()
    {
        string generate = $"generate --model {Model} --prompt Line --max-tokens 60 --device cpu",
            own = await Tool.SucceedAsync(generate), greedy = await Tool.SucceedAsync($"{generate} --temperature 0"),
            named = await Tool.SucceedAsync(
                $"{generate} --temperature 0.3 --top-k 9 --top-p 0.7 --min-p 0.01 --repetition-penalty 1.1");
        Assert.Equal(own, await Tool.SucceedAsync(
            $"{generate} --temperature 0.8 --top-k 50 --top-p 0.95 --min-p 0 --repetition-penalty 1"));

        File.WriteAllText(Generation, "{\"do_sample\": false}");
        Assert.Equal(greedy, await Tool.SucceedAsync(generate));
        Assert.Equal(own, await Tool.SucceedAsync($"{generate} --temperature 0.8"));

        File.WriteAllText(Generation, """
            {"temperature": 0.3, "top_k": 9, "top_p": 0.7, "min_p": 0.01, "repetition_penalty": 1.1}
            """);
        Assert.Equal(named, await Tool.SucceedAsync(generate));
        Assert.Equal(own, await Tool.SucceedAsync(
            $"{generate} --temperature 0.8 --top-k 50 --top-p 0.95 --min-p 0 --repetition-penalty 1"));
        Assert.Contains("drawing    temperature 0.3, top_k 9, top_p 0.7, min_p 0.01, repetition_penalty 1.1\n",
            await Tool.SucceedAsync($"import {Model}"));
        string help = await Tool.SucceedAsync("generate --help");
        Assert.Contains("[default: the model's, else 0.8]", help.ReplaceLineEndings(" "));
    }

    [Fact]
    public async Task What_is_not_computed_is_named_once_and_what_is_wrong_refused()
    {
        string generate = $"generate --model {Model} --prompt Line --max-tokens 5 --device cpu",
            text = await Tool.SucceedAsync(generate);
        File.WriteAllText(Generation, "{\"num_beams\": 4, \"no_repeat_ngram_size\": 3}");
        var run = await Tool.RunAsync(generate);
        Assert.Equal((0, text, "note: generation_config.json asks for what is not computed: num_beams 4, "
            + "no_repeat_ngram_size 3; texts are drawn without it\n"),
            (run.ExitCode, run.Output, run.Error.ReplaceLineEndings("\n")));
        Assert.Contains("drawing    num_beams 4 (not computed), no_repeat_ngram_size 3 (not computed)\n",
            await Tool.SucceedAsync($"import {Model}"));

        File.WriteAllText(Generation, "{\"temperature\": \"x\"}");
        foreach (string command in (string[])[generate, $"import {Model}", $"serve --model {Model} --port 0"])
            await Tool.RefuseAsync(command, "generation_config.json: temperature must be a finite number, got \"x\"");
    }

    [Theory]
    [InlineData("export --model", "--dense-attention")]
    [InlineData("import", "")]
    public async Task Copies_keep_the_file(string command, string options)
    {
        string json = "{\"temperature\": 0.3,  \"num_beams\": 4, \"eos_token_id\": [5, 3]}\n", copy = _folder["copy"];
        File.WriteAllText(Generation, json);
        await Tool.SucceedAsync($"{command} {Model} --out {copy} {options}");
        Assert.Equal(json, File.ReadAllText(Path.Combine(copy, ModelFolder.GenerationConfig)));
    }

    // The tokenizer of the folder has no name for the end of a text.
    [Fact]
    public async Task Measuring_and_training_take_the_end_token_of_the_files()
    {
        string text = _folder.Write("text.txt", string.Concat(Enumerable.Range(0, 300)
            .Select(i => $"Line {i}: some text to learn from.\n"))), tuned = _folder["tuned"];
        string eval = $"eval --model {Model} --json {text}",
            train = $"train --from {Model} --steps 2 --context 64 --data {text} --out {tuned}";
        foreach (string command in (string[])[eval, train])
            await Tool.RefuseAsync(command, "there is no token to put between documents: the tokenizer has none of "
                + "<|endoftext|>, <|end_of_text|>, </s>, and neither config.json nor generation_config.json");
        File.WriteAllText(Generation, "{\"eos_token_id\": [7, 5]}");
        using var measured = JsonDocument.Parse(await Tool.SucceedAsync(eval));
        await Tool.SucceedAsync(train);
        await Tool.SucceedAsync($"train --resume --steps 3 --out {tuned}");
        await Tool.SucceedAsync($"eval --model {tuned} {text}");

        File.WriteAllText(Generation, "{\"eos_token_id\": [7, 6]}");
        using var other = JsonDocument.Parse(await Tool.SucceedAsync(eval));
        Assert.NotEqual(measured.RootElement.GetProperty("loss").GetDouble(),
            other.RootElement.GetProperty("loss").GetDouble());
    }
}
