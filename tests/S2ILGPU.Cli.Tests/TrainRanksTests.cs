using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>Training over ranks: threads, and processes of MPI launchers.</summary>
public sealed class TrainRanksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Text { get; }

    public TrainRanksTests() => Text = _folder.Write("text.txt", string.Concat(Enumerable.Range(0, 300)
        .Select(i => $"Line {i}: the quick brown fox jumps over {i * 7 % 100} lazy dogs.\n")));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("openmpi", "")]
    [InlineData("mpich", "")]
    [InlineData("mpich", "--context-parallel 2")]
    [InlineData("openmpi", "--tensor-parallel 2")]
    [InlineData("mpich", "--tensor-parallel 2")]
    public async Task Processes_train_to_the_bits_of_threads(string family, string options)
    {
        TestScale.SkipUnlessDrawn(6);
        string threads = await TrainAsync("threads", $"--steps 3 --ranks 2 {options}");
        string processes = Train(family, "processes", $"--steps 3 {options}");
        Assert.Equal(State(threads), State(processes));
        // On to the end with one rank, and from one rank on with two.
        await Tool.SucceedAsync($"train --resume --steps 5 --out {processes}");
        string one = await TrainAsync("one", "--steps 3");
        bool isExact = options.Length == 0; // whole sequences and layers: sums have one order
        if (isExact)
            Assert.Equal(State(threads), State(one));
        await Tool.SucceedAsync($"train --resume --steps 5 --ranks 2 --data-parallel 2 --out {one}");
        double[] left = Losses(processes), right = Losses(one);
        Assert.Equal(5, left.Length);
        for (int i = 0; i < 5; i++)
            Assert.Equal(left[i], right[i], isExact ? 0 : 1e-4);
    }

    [Fact]
    public async Task Both_exchanges_of_keys_and_values_train_to_the_same_bits()
    {
        const string Options = "--steps 3 --ranks 2 --context-parallel 2 --context-exchange";
        Assert.Equal(State(await TrainAsync("kept", $"{Options} s2")),
            State(await TrainAsync("all", $"{Options} all-gather")));
    }

    [Fact]
    public void A_rank_takes_a_device_of_its_machine_in_turn()
    {
        DeviceInfo[] found = [Info("cuda:0", DeviceKind.Cuda), Info("cuda:1", DeviceKind.Cuda),
            Info("opencl:0", DeviceKind.OpenCl), Info("cpu", DeviceKind.Cpu)];
        Assert.Equal(["cuda:0", "cuda:1", "cuda:0"], Devices(["auto"], found));
        Assert.Equal(["cuda:1", "cpu", "cuda:1"], Devices(["cuda:1", "cpu"], found));
        Assert.Equal(["auto", "auto", "auto"], Devices(["auto"], found[2..]));

        static string[] Devices(string[] named, DeviceInfo[] found) =>
            [.. Enumerable.Range(0, 3).Select(rank => RankGrid.DeviceOf(rank, named, () => found))];

        static DeviceInfo Info(string id, DeviceKind kind) => new(id, id, kind, 0, 1, "");
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void Ranks_that_differ_are_refused_by_the_field(string family)
    {
        TestScale.SkipUnlessDrawn(3);
        string model = _folder["model"];
        var (code, text) = MpiProgram.Run(family, ["-n", "1", .. Command(model, "--steps 3 --learning-rate 0.01"),
            ":", "-n", "1", .. Command(model, "--steps 3 --learning-rate 0.02")]);
        Assert.Equal(2, code);
        Assert.Equal("error: rank 1 has LearningRate 0.02 where rank 0 has LearningRate 0.01: all ranks of a run need "
            + "the same", Assert.Single(text.Split('\n'), line => line.StartsWith("error")).TrimEnd('\r'));
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public async Task A_killed_rank_ends_the_run_and_its_checkpoint_resumes(string family)
    {
        TestScale.SkipUnlessDrawn(2);
        string model = _folder["model"], log = Path.Combine(model, ModelFolder.Log),
            command = string.Join(' ', Command(model, "--steps 100000"));
        // The shell becomes the rank, so that the launcher sees the signal.
        string script = $"(while [ ! -s {log} ] && kill -0 $$; do sleep 0.1; done; kill -9 $$) & exec {command}";
        var (code, text) = MpiProgram.Run(family, ["-n", "1", .. Command(model, "--steps 100000"), ":", "-n", "1",
            "sh", "-c", script]);
        Assert.True(code != 0 && File.Exists(log), text);
        Assert.Matches(family == "openmpi" ? "rank 1 with PID [0-9]+ .*exited on signal 9" : "PID [0-9]+ RUNNING AT",
            text);
        // The launcher may end before the ranks that it ends.
        int steps;
        var run = await ResumeAsync();
        for (int tries = 0; run.Error.Contains("another run is training") && tries < 6000; tries++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            run = await ResumeAsync();
        }
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains($"{steps} steps of 2 x 4", run.Output);

        // The ranks may have saved a later step before the signal came.
        Task<Tool> ResumeAsync()
        {
            steps = TrainingState.ReadCompletedSteps(Path.Combine(model, ModelFolder.State)) + 2;
            return Tool.RunAsync($"train --resume --steps {steps} --out {model}");
        }
    }

    // The pipe is opened for reading when the rank reads, and nothing comes. The other ranks wait in an exchange then.
    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_is_interrupted_while_it_reads_the_text_ends_the_run(string family)
    {
        TestScale.SkipUnlessDrawn(2);
        string pipe = _folder["pipe"], command = string.Join(' ', Command(_folder["model"], "--steps 3", pipe)),
            script = $"mkfifo {pipe}; {command} & rank=$!; exec 3> {pipe}; kill -TERM $rank; wait $rank";
        var (code, text) = MpiProgram.Run(family, ["-n", "1", .. Command(_folder["model"], "--steps 3"), ":",
            "-n", "1", "sh", "-c", script]);
        Assert.NotEqual(0, code);
        Assert.Equal("error: rank 1: interrupted before the first step",
            Assert.Single(text.Split('\n'), line => line.StartsWith("error")).TrimEnd('\r'));
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_is_interrupted_after_a_step_stops_all_and_everything_is_saved(string family)
    {
        TestScale.SkipUnlessDrawn(2);
        string model = _folder["model"], log = Path.Combine(model, ModelFolder.Log),
            command = string.Join(' ', Command(model, "--steps 100000")),
            script = $"(while [ ! -s {log} ] && kill -0 $$; do sleep 0.1; done; kill -TERM $$) & exec {command}";
        var (code, text) = MpiProgram.Run(family, ["-n", "1", .. Command(model, "--steps 100000"), ":", "-n", "1",
            "sh", "-c", script]);
        Assert.Equal(130, code);
        int steps = TrainingState.ReadCompletedSteps(Path.Combine(model, ModelFolder.State));
        Assert.InRange(steps, 1, 99999);
        Assert.Contains($"error: interrupted after step {steps}; everything is saved", text);
    }

    // The other rank is no program of the tool, and never asks for MPI.
    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_waits_for_another_one_as_long_as_it_was_told(string family)
    {
        TestScale.SkipUnlessDrawn(2);
        var (code, text) = MpiProgram.Run(family, ["-n", "1", .. Command(_folder["model"], "--rank-timeout 2"), ":",
            "-n", "1", "sleep", "3600"]);
        Assert.NotEqual(0, code);
        Assert.Contains("error: MPI_Init_thread waited 2 s for another rank", text);
    }

    [Fact]
    public async Task Grids_that_do_not_fit_are_refused()
    {
        string options = $"--preset tiny --data {Text} --out {_folder["model"]}";
        await Tool.RefuseAsync($"train {options} --data-parallel 2",
            "2 ranks are needed: start with mpirun -n 2, or add --ranks 2");
        await Tool.RefuseAsync($"train {options} --ranks 2 --data-parallel 3",
            "--data-parallel 3 with --context-parallel 1 needs 3 ranks, there are 2");
        await Tool.RefuseAsync($"train {options} --ranks 3 --context-parallel 2",
            "--context-parallel 2 does not divide the 3 ranks");
        await Tool.RefuseAsync($"train {options} --ranks 3 --tensor-parallel 2",
            "--tensor-parallel 2 does not divide the 3 ranks");
        await Tool.RefuseAsync($"train {options} --ranks 6 --tensor-parallel 2 --context-parallel 2",
            "--context-parallel 2 and --tensor-parallel 2 do not divide the 6 ranks");
        await Tool.RefuseAsync($"train {options} --ranks 4 --tensor-parallel 2 --data-parallel 4",
            "--data-parallel 4 with --context-parallel 1 and --tensor-parallel 2 needs 8 ranks, there are 4");
        await Tool.RefuseAsync($"train {options} --ranks 3 --tensor-parallel 3", "ranks cannot share");
        string folder = await TrainAsync("from", "--steps 1");
        await Tool.RefuseAsync($"train --data {Text} --from {folder} --ranks 2 --tensor-parallel 2 --out "
            + _folder["x"], "--tensor-parallel cannot be given with --from");
        await Tool.RefuseAsync($"train {options} --ranks 3 --device cpu,cpu", "not a multiple of the 2 devices");
        await Tool.RefuseAsync($"train {options} --ranks 5 --context-parallel 5", "too few for 5 ranks");
    }

    private async Task<string> TrainAsync(string name, string options)
    {
        await Tool.SucceedAsync($"train --preset tiny --accumulate 2 --data {Text} --out {_folder[name]} {options}");
        return _folder[name];
    }

    private string Train(string family, string name, string options)
    {
        var (code, text) = MpiProgram.Run(family, ["-n", "2", .. Command(_folder[name], options)]);
        Assert.True(code == 0, text);
        Assert.Contains(family == "openmpi" ? "(Open MPI" : "(MPICH", text);
        return _folder[name];
    }

    private string[] Command(string folder, string options, string? text = null) => [.. ToolProcess.Command,
        .. $"train --preset tiny --accumulate 2 --data {text ?? Text} --out {folder} {options}"
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static byte[] State(string folder) => File.ReadAllBytes(Path.Combine(folder, ModelFolder.State));

    private static double[] Losses(string folder) =>
        [.. TrainingLog.Read(Path.Combine(folder, ModelFolder.Log)).Select(step => step.Loss)];
}
