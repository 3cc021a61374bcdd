using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Commands;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed partial class BenchCommandTests : IDisposable
{
    // Every group once, at sizes that say nothing about speed.
    private static readonly Rounds s_twice = new(2, 2, 0, WarmUpSeconds: 0);
    private static readonly BenchSettings s_tiny = new()
    {
        Heads = 4,
        HeadDims = [32],
        AttentionTokens = [256],
        SpeedUpTokens = [256, 2048],
        ShapeTokens = 256,
        DecodeTokens = 2048,
        ReadBytes = 1 << 20,
        MatMulRows = 16,
        TrainingPreset = "tiny",
        HasPeers = false,
        MatMulRounds = s_twice,
        AttentionRounds = s_twice,
        SpeedUpRounds = s_twice,
        DecodeRounds = s_twice,
        TrainingRounds = s_twice,
        ContextTokens = [64, 128],
        ContextRounds = s_twice,
        LayoutTokens = 2048,
        LayoutRounds = s_twice,
        BusyRounds = s_twice,
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("s2-bench-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_run_gives_every_figure_and_all_files()
    {
        TestScale.SkipUnlessDrawn(4);
        MachineFacts? machine = null;
        var shown = new List<FigureGroup>();
        var report = BenchRun.Run(s_tiny, facts => machine = facts, shown.Add, TestContext.Current.CancellationToken);
        Assert.Equal(report.Machine, machine);
        Assert.Equal(report.Groups, shown);
        string[] titles = ["matrix products", "attention forward", "attention backward", "sparse over dense attention",
            "decoding", "training",
            "training against context", "odd shapes", "layouts", "busy machine", "register widths"];
        Assert.Equal(titles, shown.Select(g => g.Title));

        BenchCommand.Save(report, isQuick: true, _folder);
        string name = report.Machine.FileName;
        Assert.Equal([$"{name}-fraction-of-peak.svg", $"{name}-speed-up.svg", $"{name}.json", $"{name}.md"],
            Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
        CheckJson(File.ReadAllText(Path.Combine(_folder, $"{name}.json")), report);
        foreach (string plot in Directory.GetFiles(_folder, "*.svg"))
            Assert.Equal("svg", XDocument.Load(plot).Root!.Name.LocalName);
        string page = File.ReadAllText(Path.Combine(_folder, $"{name}.md"));
        Assert.All(report.Figures, figure => Assert.Contains($"| {figure.Name} |", page));
        Assert.Contains($"{report.Machine}", page);
        Assert.Contains($"]({name}-speed-up.svg)", page);
        Assert.Contains($"]({name}-fraction-of-peak.svg)", page);
        Assert.Contains("s2 bench cpu --quick", page);
    }

    [Theory]
    [InlineData("bench quantum",
        "s2 bench has no command 'quantum'; there is cpu, attention, matmul, train, decode, serve, workers, needle, "
        + "sample, plans, report, compare")]
    [InlineData("bench cpu --slow", "--slow")]
    [InlineData("bench cpu attention", "'attention'")]
    [InlineData("bench cpu --device cpu", "s2 bench cpu has no option '--device'; s2 bench attention, ")]
    [InlineData("bench compare a b --json", "s2 bench compare has no option '--json'; s2 bench cpu, ")]
    [InlineData("bench attention --tokens 5", "s2 bench attention has no option '--tokens'; s2 bench sample has")]
    [InlineData("bench --out x attention", "--out is an option of s2 bench attention, and goes after that name")]
    [InlineData("bench --quick cpu", "--quick is an option of s2 bench cpu, and goes after that name")]
    [InlineData("bench --format json", "--format is an option of s2 bench compare")]
    public async Task What_cannot_be_measured_is_refused(string arguments, string message) =>
        await Tool.RefuseAsync(arguments, message);

    [Fact]
    public async Task Plans_are_measured_without_a_device()
    {
        TestScale.SkipUnlessDrawn(3);
        string[] lines = (await Tool.SucceedAsync("bench plans --rounds 1")).Split('\n',
            StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.All(lines, line => Assert.Matches(@" [0-9.]+ ms least +[0-9.]+ ms median .* MB allocated", line));
        Assert.All(lines[..2], line => Assert.Matches(@", worst [0-9.]+ ms, [0-9]+ of 128 above half of it$", line));
    }

    [Fact]
    public async Task Sampled_attention_is_timed_beside_dense()
    {
        string text = await Tool.SucceedAsync("bench sample --tokens 1024 --attention sample:alpha=0.8 --device cpu");
        Assert.StartsWith("CPU (", text);
        Assert.Contains("random weights", text);
        var line = SampleLine().Match(text);
        Assert.True(line.Success, text);
        double kept = Number(1), ceiling = Number(2), mean = Number(4), least = Number(5);
        Assert.InRange(kept, 1, 90);
        Assert.InRange(ceiling, 99 / (kept + 0.1), 101 / (kept - 0.1) + 0.1);
        Assert.InRange(Number(3), 0, 100);
        Assert.InRange(mean, 0.5, 1);
        Assert.InRange(least, 0, mean);
        Assert.Contains("This shows what choosing and skipping blocks cost", text);
        await Tool.RefuseAsync("bench sample --attention dense", "must begin with sample, got 'dense'");
        await Tool.RefuseAsync("bench sample --tokens 0", "--tokens");
        await Tool.RefuseAsync("bench sample --model nowhere", "nowhere", "does not exist");

        double Number(int group) => double.Parse(line.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task Sampled_attention_is_reported_as_json()
    {
        TestScale.SkipUnlessDrawn(3);
        // 64 tokens are too few to choose blocks: nothing is left out, and there is no ceiling.
        foreach (int tokens in (int[])[64, 1024])
        {
            using var json = JsonDocument.Parse(await Tool.SucceedAsync(
                $"bench sample --tokens {tokens} --attention sample:alpha=0.8 --device cpu --json"));
            var root = json.RootElement;
            Assert.StartsWith("CPU (", root.GetProperty("device").GetString());
            Assert.Contains("random weights", root.GetProperty("model").GetString());
            var prompt = root.GetProperty("prompts").EnumerateArray().Single();
            Assert.Equal(tokens, prompt.GetProperty("tokens").GetInt32());
            foreach (string name in (string[])["denseSeconds", "sampledSeconds", "speedUp"])
                Assert.True(prompt.GetProperty(name).GetDouble() > 0, name);
            foreach (string name in (string[])["denseSpread", "sampledSpread", "speedUpSpread"])
                Assert.True(prompt.GetProperty(name).GetDouble() >= 0, name);
            var sample = prompt.GetProperty("sample");
            bool isSampled = sample.GetProperty("selections").GetInt64() > 0;
            Assert.Equal(tokens == 1024, isSampled);
            var ceiling = prompt.GetProperty("ceiling");
            if (isSampled)
                Assert.Equal(1 / sample.GetProperty("keptFraction").GetDouble(), ceiling.GetDouble(), 1e-9);
            else
                Assert.Equal(JsonValueKind.Null, ceiling.ValueKind);
        }
    }

    [Fact]
    public async Task Each_command_has_options_of_its_own()
    {
        string all = await Tool.SucceedAsync("bench --help"), cpu = await Tool.SucceedAsync("bench cpu --help"),
            compare = await Tool.SucceedAsync("bench compare --help");
        Assert.Matches(@" bench \[command\] \[options\]\n", all);
        Assert.All((string[])["  cpu ", "  attention ", "  compare "], name => Assert.Contains($"\n{name}", all));
        Assert.Matches(@" bench cpu \[options\]\n", cpu);
        Assert.All((string[])["  --json ", "  --quick ", "  --out "], name => Assert.Contains($"\n{name}", cpu));
        Assert.Matches(@" bench compare <ours> <peers> \[options\]\n", compare);
        Assert.DoesNotContain("--json", compare);
    }

    [Theory]
    [InlineData(new[] { 3.0 }, 3, 0)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 2.5, 1.5)] // quartiles 1.75 and 3.25
    [InlineData(new[] { 100.0, 1, 2, 3, 4 }, 3, 2)] // an outlier moves neither
    public void Median_and_spread_are_those_of_the_sorted_values(double[] values, double median, double spread)
    {
        var samples = new Samples(values);
        Assert.Equal((median, spread), (samples.Median, samples.Spread));
        Assert.Equal((values.Min(), values.Max()), (samples.Quantile(0), samples.Quantile(1)));
        Assert.Equal(values, samples.Values);
    }

    [Fact]
    public void Ratios_pair_the_rounds_so_that_drift_cancels()
    {
        // The machine becomes ten times slower on the way; the second variant always takes half as long.
        Samples slow = new([2, 4, 8, 20]), fast = new([1, 2, 4, 10]);
        var ratio = new Timings([slow, fast]).Ratio(variant: 1, baseline: 0);
        Assert.Equal((2.0, 0.0), (ratio.Median, ratio.Spread));
        var fraction = new Timings([slow, fast]).Fraction(0, work: 40, yardstick: new Samples([40, 20, 10, 4]));
        Assert.Equal((0.5, 0.0), (fraction.Median, fraction.Spread));
        Assert.Throws<ArgumentException>(() => slow.With(new Samples([1]), (a, b) => a + b));
    }

    [Fact]
    public void Variants_take_turns_and_stop_when_the_time_is_over()
    {
        var calls = new List<int>();
        var samples = Alternating.Time(new Rounds(Least: 3, Most: 5, Seconds: 0, WarmUpSeconds: 0), () => Slowly(0),
            () => Slowly(1));
        Assert.All(samples, s => Assert.Equal(3, s.Values.Count));
        Assert.Equal([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], calls); // two rounds to warm up, three measured
        Assert.All(samples.SelectMany(s => s.Values), seconds => Assert.InRange(seconds, 0.005, double.MaxValue));
        Assert.All(Alternating.Time(new Rounds(1, 4, double.MaxValue, 0), () => { }), s =>
            Assert.Equal(4, s.Values.Count));

        void Slowly(int variant)
        {
            calls.Add(variant);
            Thread.Sleep(10);
        }
    }

    [Fact]
    public void A_figure_without_a_value_neither_passes_nor_misses()
    {
        Figure met = new("a", 0.9, 0.8, Figure.OfPeak, 0.1);
        Figure missed = met with { Value = 0.7 }, none = met with { Value = null }, free = met with { Target = null };
        Assert.Equal(["pass", "miss", "none", ""], new[] { met, missed, none, free }.Select(f => f.Mark));
        var group = new FigureGroup("g", [met, missed, none, free]);
        var report = Report(group);
        Assert.Equal("1 of 3 targets met, 1 missed, 0 too unsteady to judge, 1 without a value", report.Summary);
        Assert.Equal([missed], report.Misses);
        using var json = JsonDocument.Parse(BenchCommand.Json(report));
        Assert.False(json.RootElement.TryGetProperty("commit", out _));
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("figures")[2].GetProperty("value").ValueKind);
    }

    [Theory]
    // Median, spread, steady value, variation of the yardstick; the target is 0.8.
    [InlineData(0.80, 0.30, 0.95, 0.30, "pass")]
    [InlineData(0.79, 0.041, 0.80, 0.00, "unsteady")]
    [InlineData(0.79, 0.039, 0.80, 0.00, "miss")] // steady enough to say so: below 5 % of the median
    [InlineData(0.79, 0.039, 0.80, 0.06, "unsteady")]
    [InlineData(0.79, 0.039, 0.80, 0.05, "miss")]
    [InlineData(0.60, 0.30, 0.799, 0.30, "miss")] // the best tenth misses it too
    [InlineData(double.NaN, double.NaN, double.NaN, 0.30, "miss")]
    public void A_figure_is_not_judged_on_an_unsteady_machine(double value, double spread, double steady,
        double yardstick, string mark)
    {
        var figure = new Figure("a", value, 0.8, Figure.OfPeak, spread) { Steady = steady,
            YardstickVariation = yardstick };
        Assert.Equal(mark, figure.Mark);
        Assert.Equal(mark == "unsteady" ? "of peak; steady 80.0 %" : "of peak", FigureText.Remarks(figure));
        Assert.Equal("", (figure with { Target = null }).Mark);
    }

    [Fact]
    public void The_steady_value_is_what_the_best_tenth_reaches()
    {
        // Ten rounds at 0.7 to 0.88 beside a peak that halves in three of them.
        double[] fractions = [.. Enumerable.Range(0, 10).Select(n => 0.7 + 0.02 * n)];
        var yardstick = new Samples([1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5]);
        var figure = Figure.Of("a", new Samples(fractions), 0.8, Figure.OfPeak, yardstick: yardstick);
        Assert.Equal((0.79, 0.862, 0.375), (Math.Round(figure.Value!.Value, 9), Math.Round(figure.Steady!.Value, 9),
            figure.YardstickVariation));
        Assert.Equal(Verdict.Unsteady, figure.Verdict);
        Assert.Equal(0, Figure.Of("a", new Samples(fractions), 0.8, Figure.OfPeak).YardstickVariation);
    }

    [Fact]
    public void What_was_unsteady_is_counted_and_listed_with_its_steady_value()
    {
        Figure met = new("a", 0.9, 0.8, Figure.OfPeak, 0.1), missed = met with { Name = "b", Value = 0.7 },
            unsteady = missed with { Name = "c", Value = 0.5, Steady = 0.81 };
        var report = Report(new FigureGroup("g", [met, unsteady, missed]));
        Assert.Equal("1 of 3 targets met, 1 missed, 1 too unsteady to judge, 0 without a value", report.Summary);
        Assert.Equal([missed, unsteady], report.Misses);
        using var json = JsonDocument.Parse(BenchCommand.Json(report));
        var figures = json.RootElement.GetProperty("figures");
        Assert.Equal(["pass", "unsteady", "miss"],
            figures.EnumerateArray().Select(f => f.GetProperty("verdict").GetString()));
        Assert.Equal(0.81, figures[1].GetProperty("steady").GetDouble());
        string page = FigureText.Markdown(report, isQuick: false);
        Assert.Contains("| c | 50.0 % | 80.0 % | unsteady | +-5.0 % | of peak; steady 81.0 % |", page);
    }

    [Theory]
    [InlineData(SimdWidth.Bits512, "cpu-avx-512", "registers of 512 bits")]
    [InlineData(SimdWidth.Bits256, "cpu-avx2", "registers of 256 bits")]
    [InlineData(SimdWidth.Scalar, "cpu-scalar", "registers of 32 bits")]
    public void A_machine_has_its_registers_in_its_name(SimdWidth width, string name, string words)
    {
        var machine = new MachineFacts("p", "e", 2, width, new CacheSizes(48 << 10, 1280 << 10, 36 << 20));
        Assert.Equal(name, machine.FileName);
        Assert.Equal($"p, 2 cores, e, {words}, caches of 48 KB, 1.25 MB and 36 MB, .NET {Environment.Version}",
            $"{machine}");
    }

    private static BenchReport Report(FigureGroup group) => new(
        new MachineFacts("p", "e", 1, SimdWidth.Bits256, new CacheSizes(1, 1, 1)), new DateOnly(2026, 1, 2), null,
        new Dictionary<int, double> { [1] = 1 }, 1, [group], [], []);

    private static void CheckJson(string text, BenchReport report)
    {
        using var json = JsonDocument.Parse(text);
        var root = json.RootElement;
        Assert.Equal($"{report.Machine}", root.GetProperty("machine").GetString());
        Assert.Equal(report.Machine.RegisterBits, root.GetProperty("registerBits").GetInt32());
        Assert.Equal(["level1", "level2", "lastLevel"],
            root.GetProperty("cacheBytes").EnumerateObject().Select(property => property.Name));
        Assert.All(root.GetProperty("cacheBytes").EnumerateObject(), size =>
            Assert.InRange(size.Value.GetInt32(), 1 << 10, 1 << 30));
        Assert.All(root.GetProperty("peakGflops").EnumerateObject(), peak =>
            Assert.InRange(peak.Value.GetDouble(), 0.01, 1e6));
        Assert.Equal(report.PeakGflops.Keys.Select(threads => $"{threads}"),
            root.GetProperty("peakGflops").EnumerateObject().Select(peak => peak.Name));
        Assert.InRange(root.GetProperty("readGBs").GetDouble(), 0.01, 1e5);
        var figures = root.GetProperty("figures").EnumerateArray().ToArray();
        Assert.Equal(report.Figures.Select(f => f.Name), figures.Select(f => f.GetProperty("name").GetString()));
        Assert.Equal(figures.Length, report.Figures.Select(f => f.Name).Distinct().Count());
        foreach (var figure in figures)
        {
            Assert.Equal(["name", "value", "target", "unit", "spread", "steady", "verdict"],
                figure.EnumerateObject().Select(property => property.Name));
            Assert.False(string.IsNullOrEmpty(figure.GetProperty("unit").GetString()));
            // null where the engine does not read such a cache
            bool isBFloat16 = figure.GetProperty("name").GetString()!.Contains("bfloat16");
            if (!isBFloat16 || figure.GetProperty("value").ValueKind != JsonValueKind.Null)
                Assert.True(figure.GetProperty("value").GetDouble() > 0
                    && figure.GetProperty("spread").GetDouble() >= 0, figure.ToString());
        }
        // A speed-up is never without its ceiling: 1 where the window covers everything.
        var ratios = figures.Where(f => f.GetProperty("name").GetString()!.StartsWith("sparse over dense"));
        Assert.All(ratios, f => Assert.StartsWith("of the ceiling ", f.GetProperty("unit").GetString()));
        Assert.Equal(4, report.SpeedUps.Count);
        Assert.All(report.SpeedUps, point =>
            Assert.True(point.Tokens == 256 ? point.Ceiling == 1 : point.Ceiling > 1.2, point.ToString()));
    }

    [GeneratedRegex(@"1024 tokens: +[0-9.]+ s dense, +[0-9.]+ s sampled, [0-9.]+ x; ([0-9.]+)% of the blocks kept, so "
        + @"attention at most ([0-9.]+) x; choosing ([0-9.]+)% of its time; audited rows keep ([0-9.]+), at least "
        + @"([0-9.]+) \(CRA\)")]
    private static partial Regex SampleLine();
}
