using System.Text.Json;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>--attention</c>: a model runs with a pattern that it was not trained with.</summary>
public sealed class AttentionOptionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-attention-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_dense_model_is_measured_with_a_pattern_beside_dense()
    {
        string text = Path.Combine(_folder, "text.txt"), model = Path.Combine(_folder, "model");
        File.WriteAllLines(text, Enumerable.Range(0, 600).Select(i => $"Line {i}: some text of {i * 7 % 100} words."));
        await Tool.SucceedAsync($"train --preset tiny --steps 2 --attention dense --data {text} --out {model}");
        using var dense = JsonDocument.Parse(await Tool.SucceedAsync($"eval --model {model} --json {text}"));
        const string plan = "dense/2:s2:local=1,stride=8,block=16";
        using var sparse = JsonDocument.Parse(
            await Tool.SucceedAsync($"eval --model {model} --json --attention {plan} {text}"));
        Assert.Equal(Number(dense, "loss"), Number(sparse, "denseLoss"));
        Assert.NotEqual(Number(dense, "loss"), Number(sparse, "loss"));
        Assert.Equal(Number(sparse, "bitsPerByte") - Number(sparse, "denseBitsPerByte"),
            Number(sparse, "bitsPerByteDifference"), 1e-12);
        Assert.Contains($"bits/byte; {plan} differs by",
            await Tool.SucceedAsync($"eval --model {model} --attention {plan} {text}"));
        await Tool.SucceedAsync($"generate --model {model} --prompt Line --max-tokens 3 --attention window:tokens=5");
        await Tool.RefuseAsync($"generate --model {model} --prompt Line --attention s3", "got 's3'");
    }

    [Fact]
    public async Task A_plan_names_the_attention_of_each_layer()
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        string text = Path.Combine(_folder, "text.txt"), model = Path.Combine(_folder, "model");
        File.WriteAllLines(text, Enumerable.Range(0, 200).Select(i => $"Line {i}: some text of {i * 7 % 100} words."));
        TinyModelFolder.Save(model, engine, TinyModelFolder.Config with { Attention = AttentionPlan.Dense });
        File.WriteAllText(Path.Combine(model, ModelFolder.GenerationConfig), "{\"eos_token_id\": 5}");
        const string plan = "0=dense+1-=s2:local=1,stride=4,block=16";
        var expected = new AttentionPlan(new DenseAttention { BlockTokens = 16 },
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 4 });

        string tuned = Path.Combine(_folder, "tuned"), imported = Path.Combine(_folder, "imported");
        await Tool.SucceedAsync($"train --from {model} --attention {plan} --steps 1 --learning-rate 0 --context 64 "
            + $"--data {text} --out {tuned}");
        Assert.Equal(expected, TransformerConfigFile.Read(Path.Combine(tuned, ModelFolder.Config)).Attention);
        await Tool.SucceedAsync($"import {model} --attention {plan} --out {imported}");
        Assert.Equal(expected, TransformerConfigFile.Read(Path.Combine(imported, ModelFolder.Config)).Attention);
        using var run = JsonDocument.Parse(
            await Tool.SucceedAsync($"eval --model {model} --json --attention {plan} {text}"));
        using var own = JsonDocument.Parse(await Tool.SucceedAsync($"eval --model {imported} --json {text}"));
        Assert.Equal(Number(own, "loss"), Number(run, "loss"));
        Assert.NotEqual(Number(run, "loss"), Number(run, "denseLoss"));
        Assert.Equal(await Tool.SucceedAsync($"generate --model {imported} --prompt Line --max-tokens 60"),
            await Tool.SucceedAsync($"generate --model {model} --prompt Line --max-tokens 60 --attention {plan}"));
        foreach (string command in (string[])[$"generate --model {model} --prompt a", $"eval --model {model} {text}",
            $"serve --model {model} --port 0", $"import {model}",
            $"train --from {model} --data {text} --out {Path.Combine(_folder, "none")}"])
            await Tool.RefuseAsync($"{command} --attention 0=dense+1-2=s2", "layers are 0 to 1, got 1-2");
    }

    [Fact]
    public async Task A_dense_model_chooses_the_blocks_of_long_prompts()
    {
        string text = Path.Combine(_folder, "text.txt"), model = Path.Combine(_folder, "model");
        File.WriteAllLines(text, Enumerable.Range(0, 900).Select(i => $"Line {i}: some text of {i * 7 % 100} words."));
        await Tool.SucceedAsync(
            $"train --preset tiny --steps 1 --attention dense --context 1024 --data {text} --out {model}");
        using var measured = JsonDocument.Parse(
            await Tool.SucceedAsync($"eval --model {model} --json --attention sample:alpha=0.9 {text}"));
        var sample = measured.RootElement.GetProperty("sample");
        Assert.InRange(sample.GetProperty("keptFraction").GetDouble(), 0.01, 1);
        Assert.InRange(sample.GetProperty("audited").GetProperty("least").GetDouble(), 0.01, 1);
        Assert.True(measured.RootElement.TryGetProperty("denseLoss", out _));
        string words = await Tool.SucceedAsync($"eval --model {model} --attention sample:window=20 {text}");
        Assert.Contains("bits/byte; sample:window=20 differs by", words);
        Assert.Contains("audited rows, least ", words);
        Assert.Matches(@"\nof \d+ passes, \d+ kept 0\.95 on average over their audited rows, \d+ in every one "
            + @"of them\n", words);
        var run = await Tool.RunAsync($"generate --model {model} --prompt Line --max-tokens 2 --attention sample");
        Assert.Equal((0, "sampled attention: no pass had 4 blocks of queries and 16 of keys, all of them were dense\n"),
            (run.ExitCode, run.Error.ReplaceLineEndings("\n")));
        await Tool.RefuseAsync($"eval --model {model} --attention sample:alpha=2 {text}", "at most 1, got 2");
        await Tool.RefuseAsync($"train --steps 1 --attention sample --data {text} --out {model}2",
            "sample is a way to run a dense model");
    }

    private static double Number(JsonDocument document, string name) =>
        document.RootElement.GetProperty(name).GetDouble();
}
