using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class TrainCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-train-").FullName;

    private string Model => Path.Combine(_folder, "model");

    private string Text { get; }

    public TrainCommandTests()
    {
        Text = Path.Combine(_folder, "text.txt");
        var text = new StringBuilder();
        for (int i = 0; i < 600; i++)
            text.Append($"Line {i}: the quick brown fox jumps over {i * 7 % 100} lazy dogs.\n");
        File.WriteAllText(Text, text.ToString());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("hybrid")]
    [InlineData("s2")]
    [InlineData("dense")]
    public async Task Trains_evaluates_and_generates(string attention)
    {
        TestScale.SkipUnlessDrawn(3);
        string output = await Tool.SucceedAsync(
            $"train --preset tiny --steps 60 --attention {attention} --data {Text} --out {Model}");
        Assert.Contains("unigram entropy", output);
        Assert.Contains("sample", output);
        string[] files = [ModelFolder.Config, ModelFolder.LossCurve, ModelFolder.Weights, ModelFolder.Tokenizer,
            ModelFolder.State, ModelFolder.Log];
        Assert.Equal(files.Order(),
            Directory.GetFiles(Model).Select(Path.GetFileName).Where(name => name != ".lock").Order());
        Assert.Equal(60, File.ReadLines(Path.Combine(Model, ModelFolder.Log)).Count());
        foreach (string line in File.ReadLines(Path.Combine(Model, ModelFolder.Log)))
        {
            using var json = JsonDocument.Parse(line);
            Assert.All(new[] { "step", "loss", "tokens" }, name =>
                Assert.Equal(JsonValueKind.Number, json.RootElement.GetProperty(name).ValueKind));
        }
        Assert.Equal("svg", XDocument.Load(Path.Combine(Model, ModelFolder.LossCurve)).Root!.Name.LocalName);

        using var evaluated = JsonDocument.Parse(await Tool.SucceedAsync($"eval --model {Model} --data {Text} --json"));
        double bits = evaluated.RootElement.GetProperty("bitsPerByte").GetDouble(),
            unigram = evaluated.RootElement.GetProperty("unigramBitsPerByte").GetDouble();
        Assert.True(bits < 0.85 * unigram, $"{bits} bits per byte, unigram {unigram}");

        string generated = await Tool.SucceedAsync($"generate --model {Model} --prompt Line --max-tokens 40");
        Assert.StartsWith("Line", generated);
        Assert.True(generated.Length > 20, generated);
        Assert.Equal(generated, await Tool.SucceedAsync($"generate --model {Model} --prompt Line --max-tokens 40"));
        Assert.NotEqual(generated,
            await Tool.SucceedAsync(
            $"generate --model {Model} --prompt Line --max-tokens 40 --seed 2 --temperature 2"));
    }

    [Fact]
    public async Task A_cache_of_fewer_bits_takes_less_and_continues_a_text()
    {
        TestScale.SkipUnlessDrawn(2);
        var engines = TestDevices.Show();
        await Tool.SucceedAsync($"train --preset tiny --steps 60 --attention dense --data {Text} --out {Model}");
        string command =
            $"generate --device {TestDevices.Small} --model {Model} --prompt Line --max-tokens 120 --temperature 0";
        string full = await Tool.SucceedAsync(command);
        Assert.Equal(full, await Tool.SucceedAsync($"{command} --cache fp32"));
        string half = await Tool.SucceedAsync($"{command} --cache bf16");
        Assert.Equal(half, await Tool.SucceedAsync($"{command} --cache bf16"));
        Assert.All((string[])[half, await Tool.SucceedAsync($"{command} --cache fp16"),
            await Tool.SucceedAsync($"{command} --cache int8")], text =>
            Assert.True(text.StartsWith("Line") && text.Length > 20, text));
        long[] peaks = [.. engines.Select(engine => engine.PeakBytes)];
        // 2 layers, 2 heads and 8 blocks need 32 pages of 16 tokens, D = 16. They grow by 16 pages: most memory is held
        // while the values of 16 pages are copied to 32, beside 32 of keys.
        long cache = (16 + 32 + 32) * 16 * 16 * sizeof(float);
        long of16Bits = peaks[0] - cache / 2, of8Bits = peaks[0] - cache * (64 - 20) / 64;
        Assert.Equal([peaks[0], peaks[0], of16Bits, of16Bits, of16Bits, of8Bits], peaks);
    }

    [Fact]
    public async Task A_run_that_is_interrupted_saves_and_continues_to_the_bits_of_one_that_is_not()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "sends a signal");
        string whole = Path.Combine(_folder, "whole"), options = $"--preset tiny --data {Text} --steps 400";
        await Tool.SucceedAsync($"train {options} --out {whole}");

        while (!await InterruptAsync($"train {options} --out {Model}"))
            Directory.Delete(Model, recursive: true); // it ended before the signal came
        int stopped = File.ReadLines(Path.Combine(Model, ModelFolder.Log)).Count();
        Assert.InRange(stopped, 1, 399);
        await Tool.SucceedAsync($"train --resume --out {Model}");
        Assert.Equal(400, File.ReadLines(Path.Combine(Model, ModelFolder.Log)).Count());
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, ModelFolder.Weights)),
            File.ReadAllBytes(Path.Combine(Model, ModelFolder.Weights)));
    }

    // Runs a training and ends it by a signal once it has logged some steps. False when it was faster.
    private async Task<bool> InterruptAsync(string command)
    {
        using var process = ToolProcess.Start(command);
        string log = Path.Combine(Model, ModelFolder.Log);
        while (!process.HasExited && !(File.Exists(log) && new FileInfo(log).Length > 300))
            await Task.Delay(10, TestContext.Current.CancellationToken);
        // Handled like SIGINT, but never ignored from the start, as SIGINT is in whatever a shell runs in the
        // background.
        using var signal = Process.Start("kill", ["-TERM", $"{process.Id}"]);
        string error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (process.ExitCode == 0)
            return false;
        Assert.True(process.ExitCode == 143, error);
        if (File.ReadLines(log).Count() == 400)
            return false;                                                 // it came between the last step and the end
        Assert.Contains("--resume", error);
        return true;
    }

    [Fact]
    public async Task Bad_input_is_refused_and_nothing_is_written()
    {
        string empty = Path.Combine(_folder, "empty.txt");
        File.WriteAllText(empty, "");
        await Tool.RefuseAsync($"train --data {empty} --out {Model}", "empty.txt");
        await Tool.RefuseAsync($"train --data {_folder}/missing.txt --out {Model}", "missing.txt");
        await Tool.RefuseAsync($"train --preset huge --out {Model}", "huge", "tiny");
        await Tool.RefuseAsync($"train --attention some --data {Text} --out {Model}", "some");
        await Tool.RefuseAsync($"train --steps 0 --data {Text} --out {Model}", "got 0");
        await Tool.RefuseAsync($"train --steps many --data {Text} --out {Model}", "many");
        await Tool.RefuseAsync($"train --device cuda:9 --data {Text} --out {Model}", "cuda:9");
        await Tool.RefuseAsync($"train --device cpu,cuda:9 --preset tiny --data {Text} --out {Model}", "cuda:9");
        await Tool.RefuseAsync($"train --device cpu,cpu --preset tiny --batch 3 --data {Text} --out {Model}",
            "2 ranks cannot share a step of 1 x 3 sequences: --batch must be a multiple of 2");
        await Tool.RefuseAsync($"train --device cpu,cpu --preset tiny --accumulate 3 --data {Text} --out {Model}",
            "2 ranks cannot share a step of 3 x 4 sequences: --accumulate must be a multiple of 2");
        await Tool.RefuseAsync($"train --context 100000 --data {Text} --out {Model}", "100000");
        await Tool.RefuseAsync($"train --resume --out {Model}", Model);
        Assert.False(Directory.Exists(Model));
    }

    [Fact]
    public async Task A_folder_that_holds_a_model_is_not_overwritten_and_not_resumed_as_another_one()
    {
        await Tool.SucceedAsync($"train --preset tiny --steps 2 --data {Text} --out {Model}");
        byte[] weights = File.ReadAllBytes(Path.Combine(Model, ModelFolder.Weights));
        await Tool.RefuseAsync($"train --preset tiny --steps 2 --data {Text} --out {Model}", Model, "--resume");
        await Tool.RefuseAsync($"train --resume --seed 5 --out {Model}", "--seed");
        File.AppendAllText(Text, "One more line.\n");
        await Tool.RefuseAsync($"train --resume --steps 3 --out {Model}", "other data");
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(Model, ModelFolder.Weights)));
    }

    [Fact]
    public async Task Damaged_model_folders_are_refused()
    {
        await Tool.RefuseAsync($"generate --model {Model} --prompt x", Model);
        await Tool.SucceedAsync($"train --preset tiny --steps 2 --data {Text} --out {Model}");
        await Tool.RefuseAsync($"eval --model {Model} --data {Text} --context 4096", "4096", "128");
        await Tool.RefuseAsync($"generate --model {Model} --prompt x --temperature -1", "-1");
        string weights = Path.Combine(Model, ModelFolder.Weights);
        byte[] whole = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, whole[..1000]);
        await Tool.RefuseAsync($"generate --model {Model} --prompt x", ModelFolder.Weights);
        File.WriteAllText(Path.Combine(Model, ModelFolder.Config), "{\"hidden_size\": -1}");
        await Tool.RefuseAsync($"generate --model {Model} --prompt x", ModelFolder.Config);
        File.Delete(Path.Combine(Model, ModelFolder.Tokenizer));
        await Tool.RefuseAsync($"generate --model {Model} --prompt x", ModelFolder.Tokenizer);
    }

    [LongFact]
    public async Task Slower_kernels_are_noted_on_the_error_stream()
    {
        const string note = "attention runs on portable kernels in single precision: ";
        Assert.Contains($"note: {note}", await Tool.SucceedAsync("devices"));
        using var json = JsonDocument.Parse(await Tool.SucceedAsync("devices --json"));
        Assert.StartsWith(note, json.RootElement.EnumerateArray()
            .Single(device => device.GetProperty("id").GetString() == "ilgpu-cpu").GetProperty("notes")[0].GetString());
        await Tool.SucceedAsync($"train --preset tiny --steps 1 --data {Text} --out {Model} --device cpu");
        string few = Path.Combine(_folder, "few.txt");
        File.WriteAllText(few, "Line 1: the fox.\n");
        foreach (string command in (string[])["generate --prompt a --max-tokens 1", $"eval --data {few} --context 16"])
        {
            var run = await Tool.RunAsync($"{command} --model {Model} --device ilgpu-cpu");
            Assert.True(run.ExitCode == 0, run.Error);
            Assert.StartsWith($"note: {note}", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
            Assert.DoesNotContain("note:", run.Output);
        }
    }

    [LongFact]
    public async Task Training_notes_slower_kernels_too()
    {
        var run = await Tool.RunAsync($"train --preset tiny --steps 1 --context 16 --batch 1 --accumulate 1 --data "
            + $"{Text} --out {Model} --device ilgpu-cpu");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.StartsWith("note: ", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
    }

    [Fact]
    public async Task Devices_are_listed()
    {
        Assert.Contains("cpu", await Tool.SucceedAsync("devices"));
        using var json = JsonDocument.Parse(await Tool.SucceedAsync("devices --json"));
        Assert.Contains(json.RootElement.EnumerateArray(), device => device.GetProperty("id").GetString() == "cpu"
            && device.GetProperty("notes").GetArrayLength() == 0);
        await Tool.RefuseAsync("devices --nonsense", "--nonsense");
        await Tool.RefuseAsync("nonsense", "nonsense");
    }

    [Fact]
    public async Task Devices_share_the_steps()
    {
        string output = await Tool.SucceedAsync(
            $"train --preset tiny --steps 2 --data {Text} --out {Model} --device cpu,cpu");
        Assert.Contains("2 data parallel x 1 context parallel (threads of one process) on cpu, cpu", output);
        Assert.Contains("2 steps of 2 x 2 x 128 tokens", output);
        output = await Tool.SucceedAsync($"train --resume --steps 3 --out {Model} --device cpu");
        Assert.Contains("continuing after step 2", output);
    }
}
