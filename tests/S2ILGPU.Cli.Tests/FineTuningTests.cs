using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>s2 train --from</c>: a checkpoint learns further.</summary>
public sealed class FineTuningTests : IDisposable
{
    private const string Pattern = "dense/2:s2:local=1,stride=4,block=16", Rate = "--learning-rate 0.003";

    private readonly TemporaryFolder _folder = new();

    private string Text { get; }

    private string Dense => _folder["dense"];

    private string Tuned => _folder["tuned"];

    public FineTuningTests()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 600; i++)
            text.Append($"Line {i}: the quick brown fox jumps over {i * 7 % 100} lazy dogs.\n");
        Text = _folder.Write("text.txt", text.ToString());
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_dense_checkpoint_learns_a_pattern_and_keeps_what_it_said()
    {
        TestScale.SkipUnlessDrawn(2);
        await TrainDenseAsync();
        AddFacts(Dense);
        double before = await LossAsync(Dense, $" --attention {Pattern}");
        string output = await Tool.SucceedAsync(
            $"train --from {Dense} --attention {Pattern} --steps 40 --context 96 --batch 4 {Rate} --data {Text} "
            + $"--out {Tuned}");
        Assert.Contains("local_stride", AttentionOf(Tuned));
        Assert.Contains("training   40 steps of 4 x 96 tokens", output);
        double after = await LossAsync(Tuned, "");
        TestContext.Current.TestOutputHelper!.WriteLine($"loss {before:0.0000} before, {after:0.0000} after");
        Assert.True(after < before - 0.02, $"{before} nats/token before, {after} after");

        Assert.Equal(File.ReadAllBytes(Path.Combine(Dense, "tokenizer.json")),
            File.ReadAllBytes(Path.Combine(Tuned, "tokenizer.json")));
        Assert.Equal("{\"temperature\": 0.5}", File.ReadAllText(Path.Combine(Tuned, ModelFolder.GenerationConfig)));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Tuned, ModelFolder.Config)))!;
        Assert.Equal((5, "4.53.0", "s2"), ((int)config["eos_token_id"]!, (string?)config["transformers_version"],
            (string?)config["model_type"]));

        await Tool.RefuseAsync($"train --resume --from {Dense} --out {Tuned}", "--from cannot be given with --resume");
        output = await Tool.SucceedAsync($"train --resume --steps 44 --out {Tuned}");
        Assert.Contains("continuing after step 40", output);
        await Tool.SucceedAsync($"generate --model {Tuned} --prompt Line --max-tokens 5");
    }

    // Begun from a file of 16 bits, with 16-bit activations: masters and the file that is written have 32.
    [Fact]
    public async Task A_bfloat16_checkpoint_gets_single_precision_masters()
    {
        await TrainDenseAsync();
        await Tool.SucceedAsync($"export --model {Dense} --out {_folder["bf16"]} --type bf16");
        string output = await Tool.SucceedAsync(
            $"train --from {_folder["bf16"]} --steps 20 --context 64 --precision bf16 {Rate} --data {Text} "
            + $"--out {Tuned}");
        Assert.Contains("bf16 activations, fp32 master weights", output);
        using (var file = SafetensorsFile.Open(Path.Combine(Tuned, ModelFolder.Weights)))
            Assert.All(file.Entries, entry => Assert.Equal(SafetensorsType.Float32, entry.Type));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Tuned, ModelFolder.Config)))!;
        Assert.Equal(("llama", "float32"), ((string?)config["model_type"], (string?)config["torch_dtype"]));
        Assert.True(await LossAsync(Tuned, "") < await LossAsync(_folder["bf16"], ""));
    }

    [Fact]
    public async Task The_first_step_begins_where_the_checkpoint_is()
    {
        await TrainDenseAsync();
        await Tool.SucceedAsync($"train --from {Dense} --steps 1 --learning-rate 0 --data {Text} --out {Tuned}");
        using SafetensorsFile before = SafetensorsFile.Open(Path.Combine(Dense, ModelFolder.Weights)),
            after = SafetensorsFile.Open(Path.Combine(Tuned, ModelFolder.Weights));
        Assert.All(before.Names, name => Assert.Equal(before.ReadSingles(name), after.ReadSingles(name)));
        Assert.Equal(await LossAsync(Dense, " --context 128"), await LossAsync(Tuned, " --context 128"));
    }

    [Fact]
    public async Task Two_ranks_learn_what_one_learns()
    {
        await TrainDenseAsync();
        string run = $"train --from {Dense} --steps 3 --batch 1 --accumulate 2 --context 64 {Rate} --data {Text} --out";
        await Tool.SucceedAsync($"{run} {Tuned}");
        await Tool.SucceedAsync($"{run} {_folder["ranks"]} --ranks 2");
        double[] one = Losses(Tuned), two = Losses(_folder["ranks"]);
        Assert.Equal(one.Length, two.Length);
        Assert.All(one.Zip(two), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public async Task What_cannot_be_learned_is_refused()
    {
        await TrainDenseAsync();
        string run = $"train --from {Dense} --data {Text} --out {Tuned}";
        await Tool.RefuseAsync($"{run} --preset tiny", "--preset cannot be given with --from");
        await Tool.RefuseAsync($"{run} --context 300", "--context must be at most 128 (the context of the checkpoint)");
        await Tool.RefuseAsync($"{run} --attention hybrid", "'hybrid'");
        await Tool.RefuseAsync($"train --from {_folder["none"]}", "--from: the folder", "does not exist");
        await Tool.RefuseAsync($"train --from {Dense} --data {Text} --out {Dense}", "already holds a model");
        string config = Path.Combine(Dense, ModelFolder.Config);
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"llama\"", "\"mixtral\""));
        await Tool.RefuseAsync(run, "model_type must be", "got \"mixtral\"");
        Assert.False(Directory.Exists(Tuned));
    }

    private async Task TrainDenseAsync()
    {
        string run = _folder["run"];
        await Tool.SucceedAsync($"train --preset tiny --steps 25 --attention dense --data {Text} --out {run}");
        await Tool.SucceedAsync($"export --model {run} --out {Dense}");
    }

    private static void AddFacts(string folder)
    {
        string path = Path.Combine(folder, ModelFolder.Config);
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config["eos_token_id"] = 5;
        config["transformers_version"] = "4.53.0";
        File.WriteAllText(path, config.ToJsonString());
        File.WriteAllText(Path.Combine(folder, ModelFolder.GenerationConfig), "{\"temperature\": 0.5}");
    }

    private static string AttentionOf(string folder) =>
        TransformerConfigFile.Read(Path.Combine(folder, ModelFolder.Config)).Attention.ToString();

    private static double[] Losses(string folder) =>
        [.. TrainingLog.Read(Path.Combine(folder, ModelFolder.Log)).Select(step => step.Loss)];

    private async Task<double> LossAsync(string model, string options)
    {
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"eval --model {model} --json{options} {Text}"));
        return json.RootElement.GetProperty("loss").GetDouble();
    }
}
