using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class ServeBenchTests
{
    [Fact]
    public async Task Every_stream_equals_its_one_by_one_run_and_no_page_is_left()
    {
        using var folder = new TemporaryFolder();
        using var engine = new CpuEngine();
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 600).Select(i => $"Line {i}.\n")));
        await Tool.SucceedAsync($"train --preset tiny --steps 2 --data {text} --out {folder["model"]}");
        using var model = ModelFolder.Load(folder["model"], engine);
        // In full for as long as a server is loaded by the tool; else until every prompt has come up.
        var settings = TestScale.IsFull ? new ServeSettings(64, 60, 128) : new ServeSettings(6, 0, 128)
        {
            Prompts = 8,
            TextTokens = 20,
        };
        var random = Seeds.NewRandom();
        settings = settings with
        {
            Speculate = random.Pick(0, 7),
            StreamInterval = TimeSpan.FromMilliseconds(random.Pick(0, 20)),
        };
        var cancellation = TestContext.Current.CancellationToken;
        var group = await new ServeLoad(model, settings, cancellation).MeasureAsync(cancellation);
        Assert.Equal(1, Value("texts that equal"));
        Assert.Equal(1, Value("texts beside clients that leave"));
        Assert.Equal(0, Value("pages in use at the end"));
        Assert.Equal(0, Value("pages in use after clients left"));
        Assert.Equal(settings.Speculate > 0, group.Figures.Any(f => f.Name.StartsWith("tokens of a text per step",
            StringComparison.Ordinal) && f.Value >= 1));
        Assert.All(group.Figures, f => Assert.True(f.Value is >= 0 and < 1e6, $"{f}"));
        var operations = new OperationTimes();
        using var timed = new TracedEngine(engine, operations.Add);
        using var again = ModelFolder.Load(folder["model"], timed);
        // As many sequences as wait in a scheduler's queue unless it is told otherwise, and one more.
        settings = settings with { Clients = new SchedulerOptions().MaxQueued + 1 };
        var times = new StepTimes(again, operations, settings).Measure(cancellation).Figures;
        Assert.Equal(6, times.Count);
        Assert.All(times, f => Assert.True(f.Value is >= 0 and < 1e6, $"{f}"));
        Assert.All(times.Take(4), f => Assert.True(f.Value > 0, $"{f}"));

        double Value(string name) => group.Figures.Single(f => f.Name.StartsWith(name, StringComparison.Ordinal))
            .Value!.Value;
    }

    [Fact]
    public void Twins_differ_by_what_the_pattern_keeps()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = new CpuEngine();
        var settings = new ServeSettings(1, 0, 2048) { Rounds = new Rounds(1, 1, 0) };
        var figures = new TwinModels(engine, settings).Measure(TestContext.Current.CancellationToken).Figures;
        // B64 L8 s16 at 32 blocks: 8 local blocks, and of the 24 before them those with the head's residue.
        double kept = Enumerable.Range(0, 4).Sum(h => 8 + Enumerable.Range(0, 24).Count(b => (b + 4 * h) % 16 == 0));
        Assert.Equal(4 * 32 / kept, figures[0].Value!.Value, tolerance: 1e-9);
        Assert.True(figures[3].Value > 1.5, figures[3].Note);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Texts_of_attention_workers_equal_those_of_one_process(int workers)
    {
        TestScale.SkipUnlessDrawn(4);
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        var settings = new WorkersSettings(workers, 3, 40) { Layers = 2, WarmUpSteps = 1, Rounds = 2, RoundSteps = 3 };
        var cancellation = TestContext.Current.CancellationToken;
        using var load = new WorkersLoad(engine, settings, cancellation);
        foreach (bool hasEarlyQueries in (bool[])[false, true])
        {
            var figures = load.Measure(hasEarlyQueries, cancellation).Figures;
            if (!hasEarlyQueries)
                Assert.Equal(1, Value("texts that equal"));
            Assert.Equal(1, Value("bytes of tensors over"));
            Assert.True(Value("all bytes over") > 1);
            Assert.True(Value("computing at the same time") <= 1);
            Assert.True(Value("time waited") <= Value("time away"));
            Assert.Equal(workers, figures.Count(f => f.Name.StartsWith("CPU time of attention worker",
                StringComparison.Ordinal)));
            Assert.All(figures, f => Assert.True(f.Name.StartsWith("CPU", StringComparison.Ordinal) ? f.Value >= 0
                : double.IsFinite(f.Value!.Value), $"{f}"));

            double Value(string name) => figures.Single(f => f.Name.StartsWith(name, StringComparison.Ordinal))
                .Value!.Value;
        }
    }

    [Fact]
    public async Task Bad_input_is_one_line()
    {
        await Tool.RefuseAsync("bench workers --workers 3", "--workers must be 1, 2 or 4", "got 3");
        await Tool.RefuseAsync("bench workers --sequences 1", "--sequences");
        await Tool.RefuseAsync("bench serve --clients 0", "--clients");
        await Tool.RefuseAsync("bench serve --model nowhere", "nowhere", "does not exist");
    }
}
