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
        Caches = new CacheSizes(32 << 10, 512 << 10, 8 << 20),
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

        const string command = "s2 bench cpu --quick --caches 32K,512K,8M";
        BenchCommand.Save(report, command, _folder);
        string name = report.Machine.FileName;
        // Unless this machine has just these caches.
        Assert.EndsWith(s_tiny.Caches == CacheSizes.Machine ? "-32k-512k-8m" : "-32k-512k-8m-pretended", name);
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
        Assert.StartsWith($"# CPU benchmarks, {report.Machine.Title}\n\n`{command}`, ", page);
        Assert.Contains("\nMatrix products keep 16 KB of B in the first-level cache and ", page);
        CheckCeilings(report);
    }

    // A figure without the machine's variation beside it would never be called unsteady for it; a ratio of caches has
    // the ceiling that their bytes set.
    private static void CheckCeilings(BenchReport report)
    {
        Assert.All(report.Figures, figure => Assert.True(figure.YardstickVariation >= 0, figure.Name));
        Assert.All(report.Figures.Where(f => f.Unit == Figure.OfPeak), figure => Assert.Equal(1, figure.Ceiling));
        Assert.All(report.Figures.Where(f => f.Name.StartsWith("sparse over dense")), figure =>
            Assert.Equal(1, figure.Ceiling));
        var halves = report.Figures.Where(f => f.Name.Contains("bfloat16 over float32")).ToArray();
        Assert.NotEmpty(halves);
        Assert.All(halves, figure =>
        {
            Assert.Equal(2, figure.Ceiling);
            Assert.StartsWith("at most 2.00x by its bytes; ", figure.Note);
        });
    }

    [Theory]
    [InlineData("bench quantum",
        "s2 bench has no command 'quantum'; there is cpu, attention, matmul, train, decode, serve, workers, needle, "
        + "sample, plans, report, compare")]
    [InlineData("bench cpu --slow", "--slow")]
    [InlineData("bench cpu attention", "'attention'")]
    [InlineData("bench cpu --caches 32K,512K", "--caches must be three sizes", "as in 32K,512K,8M, got 32K,512K")]
    [InlineData("bench cpu --caches 8M,512K,32K", "none smaller than the one before", "got 8M,512K,32K")]
    [InlineData("bench cpu --caches 0K,512K,8M", "got 0K,512K,8M")]
    [InlineData("bench cpu --caches 32K,512K,2048M", "up to 1024M", "got 32K,512K,2048M")]
    [InlineData("bench cpu --caches 32,512,8000", "with K or M", "got 32,512,8000")]
    [InlineData("bench cpu --caches 32K,-512K,8M", "got 32K,-512K,8M")]
    [InlineData("bench cpu --device cpu", "s2 bench cpu has no option '--device'; s2 bench attention, ")]
    [InlineData("bench compare a b --json", "s2 bench compare has no option '--json'; s2 bench cpu, ")]
    [InlineData("bench attention --tokens 5", "s2 bench attention has no option '--tokens'; s2 bench sample has")]
    [InlineData("bench --out x attention", "--out is an option of s2 bench attention, and goes after that name")]
    [InlineData("bench --quick cpu", "--quick is an option of s2 bench cpu, and goes after that name")]
    [InlineData("bench --format json", "--format is an option of s2 bench compare")]
    public async Task What_cannot_be_measured_is_refused(string arguments, params string[] messages) =>
        await Tool.RefuseAsync(arguments, messages);

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
        Assert.Equal("1 of 3 targets met, 1 missed, 0 too unsteady to judge, 0 above their ceilings, "
            + "1 without a value", report.Summary);
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
            figure.YardstickVariation!.Value));
        Assert.Equal(Verdict.Unsteady, figure.Verdict);
        Assert.Null(Figure.Of("a", new Samples(fractions), 0.8, Figure.OfPeak).YardstickVariation);
    }

    [Fact]
    public void What_was_unsteady_is_counted_and_listed_with_its_steady_value()
    {
        Figure met = new("a", 0.9, 0.8, Figure.OfPeak, 0.1), missed = met with { Name = "b", Value = 0.7 },
            unsteady = missed with { Name = "c", Value = 0.5, Steady = 0.81 };
        var report = Report(new FigureGroup("g", [met, unsteady, missed]));
        Assert.Equal("1 of 3 targets met, 1 missed, 1 too unsteady to judge, 0 above their ceilings, "
            + "0 without a value", report.Summary);
        Assert.Equal([missed, unsteady], report.Misses);
        using var json = JsonDocument.Parse(BenchCommand.Json(report));
        var figures = json.RootElement.GetProperty("figures");
        Assert.Equal(["pass", "unsteady", "miss"],
            figures.EnumerateArray().Select(f => f.GetProperty("verdict").GetString()));
        Assert.Equal(0.81, figures[1].GetProperty("steady").GetDouble());
        string page = FigureText.Markdown(report, "s2 bench cpu");
        Assert.Contains("| c | 50.0 % | 80.0 % | unsteady | +-5.0 % | of peak; steady 81.0 % |", page);
    }

    [Theory]
    [InlineData(SimdWidth.Bits512, "cpu-avx-512-48k-1.25m-36m", "registers of 512 bits")]
    [InlineData(SimdWidth.Bits256, "cpu-avx2-48k-1.25m-36m", "registers of 256 bits")]
    [InlineData(SimdWidth.Scalar, "cpu-scalar-48k-1.25m-36m", "registers of 32 bits")]
    public void A_machine_has_its_registers_and_caches_in_its_name(SimdWidth width, string name, string words)
    {
        var machine = new MachineFacts("p", "e", 2, width, new CacheSizes(48 << 10, 1280 << 10, 36 << 20));
        Assert.Equal(name, machine.FileName);
        Assert.Equal($"p, 2 cores, e, {words}, caches of 48 KB, 1.25 MB and 36 MB, .NET {Environment.Version}",
            $"{machine}");
    }

    [Fact]
    public void What_is_pretended_is_in_title_and_name()
    {
        var smaller = new CacheSizes(32 << 10, 512 << 10, 8 << 20);
        var machine = new MachineFacts("AMD EPYC", "e", 2, SimdWidth.Bits256, smaller)
        {
            Pretended = ["without AVX-512", "caches of 32 KB, 512 KB and 8 MB"],
        };
        Assert.Equal("AVX2 (pretended: without AVX-512, caches of 32 KB, 512 KB and 8 MB)", machine.Title);
        Assert.Equal("cpu-avx2-32k-512k-8m-pretended", machine.FileName);
        Assert.Equal("amd-epyc-avx2-2-cores-pretended", machine.FolderName);
        Assert.EndsWith(", pretended: without AVX-512, caches of 32 KB, 512 KB and 8 MB", $"{machine}");
        var caches = new CacheSizes(1 << 10, 2 << 10, 3 << 20);
        using CpuEngine own = new(), other = new(new CpuOptions(Caches: caches));
        Assert.DoesNotContain(MachineFacts.Of(own).Pretended, what => what.StartsWith("caches"));
        Assert.Contains("caches of 1 KB, 2 KB and 3 MB", MachineFacts.Of(other).Pretended);
    }

    [Fact]
    public void Every_limit_has_its_variation_and_the_unsteady_ones_are_named()
    {
        // The peaks hold; the read rate falls from 57 to 30 GB/s.
        var steady = new Dictionary<int, Limit>
        {
            [1] = Limit.Of([200e9, 201e9, 202e9]),
            [2] = Limit.Of([400e9, 404e9]),
        };
        var limits = new MachineLimits(steady, Limit.Of([57e9, 57e9, 30e9, 30e9]));
        Assert.Equal("201 GFLOP/s peak on 1 thread (varied by 0.5 %), 402 GFLOP/s peak on 2 threads (varied by 0.5 %), "
            + "43.5 GB/s read (varied by 62.1 %)", $"{limits}");
        Assert.Equal("The machine was busy. Limits that varied over the run: the read rate by 62 %. Do not quote "
            + "fractions of them, nor speed-ups.", limits.Warning);
        Assert.Contains("the peak on 1 thread by 50 %,", (limits with
        {
            Peaks = new Dictionary<int, Limit> { [1] = Limit.Of([1e9, 2e9, 2e9, 1e9, 2e9]) with { Variation = 0.5 } },
        }).Warning);
        Assert.Null((limits with { Read = Limit.Of([57e9]) }).Warning);
    }

    [Fact]
    public void A_figure_above_its_ceiling_neither_passes_nor_misses()
    {
        var ratio = new Figure("a", 1.12, 0.9, "of the ceiling 4.33x", 0.01) { Ceiling = 1 };
        Assert.Equal(("above", Verdict.AboveCeiling), (ratio.Mark, ratio.Verdict));
        Assert.Equal("pass", (ratio with { Value = 1 }).Mark);
        Assert.Equal("", (ratio with { Target = null }).Mark);
        var report = Report(new FigureGroup("g", [ratio, ratio with { Value = 0.95 }]));
        Assert.Equal("1 of 2 targets met, 0 missed, 0 too unsteady to judge, 1 above their ceilings, 0 without a value",
            report.Summary);
        Assert.Equal([ratio], report.Misses);
    }

    [Fact]
    public void No_speed_up_is_drawn_above_its_ceiling()
    {
        SpeedUp below = new("L16 s8", 1024, 1.5, 2), above = new("L16 s8", 2048, 9.75, 4);
        var line = BenchPlots.SpeedUpLine("L16 s8", "red", [below, above]);
        Assert.Equal([(1024.0, 1.5), (2048.0, 4.0)], line.Points);
        Assert.Equal([2048.0], line.Capped);
        string plot = BenchPlots.SpeedUps([below, above]), without = BenchPlots.SpeedUps([below]);
        const string ring = "fill=\"white\" stroke=";
        Assert.Contains("Rings: at the ceiling.", plot);
        Assert.Single(Regex.Matches(plot, ring));
        Assert.DoesNotContain("Rings", without);
        Assert.DoesNotContain(ring, without);
        Assert.Equal("svg", XDocument.Parse(plot).Root!.Name.LocalName);
    }

    [Fact]
    public void Narrower_registers_are_named_by_their_number()
    {
        bool hasAvx512 = SimdWidths.Widest == SimdWidth.Bits512;
        Assert.Equal(hasAvx512 ? "256 bits, 32 registers" : "256 bits, 16 registers",
            WidthBench.NameOf(SimdWidth.Bits256));
        Assert.Equal("512 bits, 32 registers", WidthBench.NameOf(SimdWidth.Bits512));
        Assert.Equal("scalar", WidthBench.NameOf(SimdWidth.Scalar));
    }

    [Fact]
    public void Products_are_those_of_layers_heads_and_thin_operands()
    {
        var shapes = MatMulShape.Of(4096);
        Assert.Equal(shapes.Count, shapes.Select(shape => $"{shape}").Distinct().Count());
        var head = shapes.Single(shape => shape.Name == "logits");
        var input = shapes.Single(shape => shape.Name == "logits, gradient of the input");
        var weight = shapes.Single(shape => shape.Name == "logits, gradient of the weight");
        Assert.Equal((head.M, head.K, head.N, false, false), (input.M, input.N, input.K, input.TransposeA,
            input.TransposeB));
        Assert.Equal((head.N, head.K, head.M, true, false), (weight.M, weight.N, weight.K, weight.TransposeA,
            weight.TransposeB));
        // The targets are of the products of a training step.
        Assert.Equal(shapes.Where(shape => Math.Min(shape.M, shape.N) >= 256), shapes.Where(shape => shape.HasTarget));
        Assert.Equal([(1, false), (16, false)], shapes.Where(shape => shape.M < 256).Select(s => (s.M, s.HasTarget)));
        Assert.Equal(16, shapes.Min(shape => shape.N));
    }

    private static BenchReport Report(FigureGroup group) => new(
        new MachineFacts("p", "e", 1, SimdWidth.Bits256, new CacheSizes(1, 1, 1)), new DateOnly(2026, 1, 2), null,
        new MachineLimits(new Dictionary<int, Limit> { [1] = new(1, 0) }, new Limit(1, 0)), [group], [], []);

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
        foreach (string name in (string[])["peakGflops", "peakVariation"])
            Assert.Equal(report.Limits.Peaks.Keys.Select(threads => $"{threads}"),
                root.GetProperty(name).EnumerateObject().Select(peak => peak.Name));
        Assert.InRange(root.GetProperty("readGBs").GetDouble(), 0.01, 1e5);
        Assert.True(root.GetProperty("readVariation").GetDouble() >= 0);
        Assert.Equal(report.Machine.Pretended,
            root.GetProperty("pretended").EnumerateArray().Select(what => what.GetString()));
        var figures = root.GetProperty("figures").EnumerateArray().ToArray();
        Assert.Equal(report.Figures.Select(f => f.Name), figures.Select(f => f.GetProperty("name").GetString()));
        Assert.Equal(figures.Length, report.Figures.Select(f => f.Name).Distinct().Count());
        foreach (var figure in figures)
        {
            Assert.Equal(
                ["name", "value", "target", "unit", "spread", "steady", "ceiling", "limitVariation", "verdict"],
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
