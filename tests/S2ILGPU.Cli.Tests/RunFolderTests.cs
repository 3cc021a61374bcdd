using S2ILGPU.Cli.Invocation;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>A run folder is never a dead end, and never two runs' at once.</summary>
public sealed class RunFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-runs-").FullName;

    public RunFolderTests() => File.WriteAllLines(Text, Enumerable.Range(0, 600)
        .Select(i => $"Line {i}: the quick brown fox jumps over {i * 7 % 100} lazy dogs."));

    private string Model => Path.Combine(_folder, "model");

    private string Text => Path.Combine(_folder, "text.txt");

    private string Train => $"train --preset tiny --data {Text} --out {Model}";

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_run_without_a_step_begins_again_or_continues()
    {
        using var interruption = new Interruption();
        Assert.True(interruption.Raise(15));
        Directory.CreateDirectory(Model);
        var stopped = await Tool.RunAsync($"{Train} --steps 3", interruption);
        Assert.Equal(143, stopped.ExitCode);
        Assert.False(File.Exists(StateFile)); // interrupted while it read the text

        await Tool.SucceedAsync($"{Train} --steps 3");
        RewindState();
        await Tool.SucceedAsync($"{Train} --steps 4"); // the same command begins again
        Assert.Equal(4, TrainingState.ReadCompletedSteps(StateFile));
        RewindState();
        await Tool.SucceedAsync($"train --resume --out {Model}");
        Assert.Equal(4, TrainingState.ReadCompletedSteps(StateFile));
        await Tool.RefuseAsync($"train --resume --steps 3 --out {Model}", "--steps 3", "has done 4 steps already");

        foreach (string file in (string[])[ModelFolder.State, ModelFolder.Weights])
            File.Delete(Path.Combine(Model, file)); // killed before the first state was whole
        await Tool.RefuseAsync($"train --resume --out {Model}", Model, "no checkpoint", "without --resume");
        await Tool.SucceedAsync($"{Train} --steps 2");

        RewindState(); // stopped while a run began again
        string config = Path.Combine(Model, ModelFolder.Config);
        File.Delete(config);
        Directory.CreateDirectory(Path.Combine(config, "in the way"));
        Assert.NotEqual(0, (await Tool.RunAsync($"{Train} --steps 2")).ExitCode);
        Directory.Delete(config, recursive: true);
        await Tool.SucceedAsync($"{Train} --steps 2");

        File.WriteAllText(StateFile, "no state");
        await Tool.RefuseAsync($"{Train} --steps 2", StateFile, "name another folder with --out");
        File.Delete(StateFile); // a model of another origin
        await Tool.RefuseAsync($"{Train} --steps 2", Model, "already holds a model");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{\"step\":1,\"lo")]
    [InlineData("nonsense\n{}\n[]\n{\"step\":9,\"loss\":{\"step\":1,\"loss\":2}\n\0\0\0")]
    public async Task A_damaged_log_blocks_nothing(string? log)
    {
        await Tool.SucceedAsync($"{Train} --steps 3");
        string path = Path.Combine(Model, ModelFolder.Log), weights = Path.Combine(Model, ModelFolder.Weights);
        File.Delete(path);
        if (log is not null)
            File.WriteAllText(path, log);
        await Tool.SucceedAsync($"train --resume --out {Model}");
        await Tool.SucceedAsync($"train --resume --steps 5 --out {Model}");
        Assert.Equal([4, 5], TrainingLog.Read(path).Select(step => step.Step));
        Assert.Equal(2, File.ReadLines(path).Count());
        Assert.True(File.Exists(weights));
    }

    [Fact]
    public async Task The_second_run_in_a_folder_is_refused()
    {
        await Tool.SucceedAsync($"{Train} --steps 1");
        using (new FileStream(Path.Combine(Model, ".lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            await Tool.RefuseAsync($"train --resume --steps 2 --out {Model}", Model, "another run");
            await Tool.RefuseAsync($"{Train} --steps 2", Model, "another run");
        }
        string half = Path.Combine(Model, $"{ModelFolder.State}.abcdefgh.ijk.tmp");
        File.WriteAllText(half, "half a state");
        await Tool.SucceedAsync($"train --resume --steps 2 --out {Model}");
        Assert.False(File.Exists(half));
    }

    [Fact]
    public async Task A_killed_run_leaves_a_folder_that_trains()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "sends a signal");
        foreach (string file in (string[])[".lock", ModelFolder.Config, ModelFolder.State, ModelFolder.Log])
        {
            if (Directory.Exists(Model))
                Directory.Delete(Model, recursive: true);
            using var process = ToolProcess.Start($"{Train} --steps 2000");
            for (int wait = 0; wait < 3000 && !File.Exists(Path.Combine(Model, file)); wait++)
                await Task.Delay(20, TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            bool hasRun = File.Exists(StateFile) && TrainingState.ReadCompletedSteps(StateFile) > 0;
            int steps = hasRun ? TrainingState.ReadCompletedSteps(StateFile) + 1 : 1;
            await Tool.SucceedAsync(hasRun ? $"train --resume --steps {steps} --out {Model}"
                : $"{Train} --steps {steps}");
            Assert.Equal(steps, TrainingState.ReadCompletedSteps(StateFile));
        }
    }

    [Fact]
    public async Task A_run_of_relative_paths_continues_from_another_directory()
    {
        TestScale.SkipUnlessDrawn(2);
        var started = await ToolProcess.ShellAsync("$s2 train --preset tiny --steps 1 --data text.txt --out model",
            _folder);
        Assert.True(started.ExitCode == 0, started.Error);
        await Tool.SucceedAsync($"train --resume --steps 2 --out {Model}");
        string moved = Path.Combine(_folder, "moved.txt");
        File.Move(Text, moved);
        await Tool.RefuseAsync($"train --resume --steps 3 --out {Model}", Text);
        await Tool.SucceedAsync($"train --resume --steps 3 --data {moved} --out {Model}");
    }

    [Fact]
    public async Task Sizes_whose_product_is_too_large_are_refused_with_their_values()
    {
        await Tool.RefuseAsync($"{Train} --batch 2000000 --context 2048", "2000000", "2048", "--batch", "--context");
        await Tool.RefuseAsync($"{Train} --batch 100000 --context 128", "100000", "128");
        await Tool.RefuseAsync($"{Train} --steps 2147483647 --accumulate 2147483647 --batch 16000000 --context 128",
            "2147483647", "16000000");
        Assert.False(Directory.Exists(Model));
    }

    private string StateFile => Path.Combine(Model, ModelFolder.State);

    // The state as it is before the first step: one digit in the header.
    private void RewindState()
    {
        byte[] bytes = File.ReadAllBytes(StateFile);
        int at = bytes.AsSpan().IndexOf("\"step\":\""u8) + "\"step\":\"".Length;
        bytes[at] = (byte)'0';
        File.WriteAllBytes(StateFile, bytes);
    }
}
