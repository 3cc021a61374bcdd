using System.Text.Json;
using S2ILGPU.Cli.Verify;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class VerifyCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-verify-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_sound_device_passes_with_a_line_per_variant()
    {
        TestDevices.Show();
        string file = Path.Combine(_folder, "verify.json");
        string text = await Tool.SucceedAsync($"verify --device {TestDevices.Small} --seed 7 --out {file}");
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var variants = json.RootElement.GetProperty("variants").EnumerateArray().ToArray();
        string[] lines = text.Split('\n');
        Assert.Contains("seed: 7", lines);
        var operations = json.RootElement.GetProperty("operations").EnumerateArray().ToArray();
        Assert.Contains("MatMul", operations.Select(o => o.GetProperty("name").GetString()));
        Assert.All(operations, o => Assert.True(o.GetProperty("passed").GetBoolean()));
        Assert.Empty(json.RootElement.GetProperty("kernels").EnumerateArray()); // no CUDA device
        Assert.Equal(variants.Length + operations.Length,
            lines.Count(line => line.StartsWith("PASS  ", StringComparison.Ordinal)));
        Assert.Equal((7, true), (json.RootElement.GetProperty("seed").GetInt32(),
            json.RootElement.GetProperty("passed").GetBoolean()));
        Assert.Equal(["backward", "decode", "forward", "merge"],
            variants.Select(v => v.GetProperty("pass").GetString()).Distinct().Order());
        foreach (var variant in variants)
        {
            Assert.InRange(variant.GetProperty("worstError").GetDouble(), 1e-12,
                variant.GetProperty("tolerance").GetDouble());
            Assert.True(variant.GetProperty("cases").GetInt32() > 0);
        }
        var speed = json.RootElement.GetProperty("speed").EnumerateArray().ToArray();
        Assert.Equal(["dense", "B64 L1 s2"], speed.Select(s => s.GetProperty("pattern").GetString()));
        Assert.True(speed[1].GetProperty("ceiling").GetDouble() > 1 && speed[1].GetProperty("speedUp").GetDouble() > 0);
    }

    [Fact]
    public void Every_pass_draws_other_inputs_from_another_seed()
    {
        using var engine = new CpuEngine();
        foreach (var pass in (CheckedPass[])[CheckedPass.Forward, CheckedPass.Backward, CheckedPass.Decode,
            CheckedPass.Merge])
        {
            Assert.Equal(WorstOf(pass, 1), WorstOf(pass, 1));
            Assert.NotEqual(WorstOf(pass, 1), WorstOf(pass, 2));
        }

        (string Element, double Error) WorstOf(CheckedPass pass, int seed)
        {
            var variant = new EngineVariant("tested", pass, ElementType.Float32, ElementType.Float32, [40], engine);
            var worst = Assert.Single(new VerifyRun(seed, isEmulated: true)
                .Run([variant], _ => { }, TestContext.Current.CancellationToken)).Worst!;
            return (worst.Describe(), worst.Error);
        }
    }

    [LongTheory]
    [InlineData("forward fp32")]
    [InlineData("backward fp32")]
    [InlineData("decode fp32")]
    public async Task The_kernels_for_gpus_pass_thread_by_thread(string variant)
    {
        var emulated = Engine.Devices().FirstOrDefault(d => d.Kind == DeviceKind.Emulated);
        Assert.SkipWhen(emulated is null, "no device here executes kernels thread by thread");
        string file = Path.Combine(_folder, "verify.json");
        await Tool.SucceedAsync(
            $"verify --device {emulated!.Id} --no-speed --out {file} --only {variant.Replace(' ', '_')}");
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.All(json.RootElement.GetProperty("variants").EnumerateArray(), v =>
            Assert.StartsWith(variant, $"{v.GetProperty("pass")} {v.GetProperty("dtype")}"));
    }

    [Fact]
    public async Task One_wrong_element_fails()
    {
        TestDevices.Show();
        var run = await Tool.RunAsync($"verify --device {TestDevices.Broken} --no-speed");
        Assert.Equal(1, run.ExitCode);
        Assert.Matches("^error: 2 of [0-9]+ checks failed on test-broken, seed -?[0-9]+\n$", run.Error);
        string[] failed =
            [.. run.Output.Split('\n').Where(line => line.StartsWith("FAIL  ", StringComparison.Ordinal))];
        Assert.Equal(["forward", "decode"],
            failed.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]));
        Assert.All(failed, line =>
            Assert.Matches(@"worst [0-9.e-]+ of 1\.0e-5, output in D40 .*: output\[.*\] is .*, exact ", line));
        Assert.Equal(2, run.Output.Split('\n').Count(line => line.StartsWith("PASS  ", StringComparison.Ordinal)
            && !line.StartsWith("PASS  operation", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Operations_are_chosen_by_type_and_name()
    {
        TestDevices.Show();
        string text = await Tool.SucceedAsync(
            $"verify --device {TestDevices.Small} --no-speed --only operation_bf16_RmsNormBackward");
        Assert.Single(text.Split('\n'), line => line.StartsWith("PASS  ", StringComparison.Ordinal));
        await Tool.RefuseAsync($"verify --device {TestDevices.Small} --only operation_bf16_Softmax",
            "no implementation contains");
    }

    [Theory]
    [InlineData(nameof(CheckedPass.Forward), nameof(IEngine.AttentionForward))]
    [InlineData(nameof(CheckedPass.Decode), nameof(IEngine.AttentionForward))]
    [InlineData(nameof(CheckedPass.Backward), nameof(IEngine.AttentionBackward))]
    [InlineData(nameof(CheckedPass.KeyValueGradients), nameof(IEngine.AttentionBackward))]
    [InlineData(nameof(CheckedPass.Merge), nameof(IEngine.MergePartitions))]
    public void Wrong_and_missing_elements_and_different_runs_are_found(string passName, string operation)
    {
        var pass = Enum.Parse<CheckedPass>(passName);
        double wobble = 0;
        Assert.False(Run(pass, new BrokenEngine(operation, BrokenEngine.Nudge)).IsPassed);
        var poisoned = Run(pass, new BrokenEngine(operation, BrokenEngine.Poison));
        Assert.False(poisoned.IsPassed);
        Assert.Equal(double.PositiveInfinity, poisoned.Worst!.Error);
        var changing = Run(pass, new BrokenEngine(operation, Wobble));
        Assert.False(changing.IsPassed);
        Assert.Contains("not deterministic", changing.Failure);
        var throwing =
            Run(pass, new BrokenEngine(operation, _ => throw new InvalidOperationException("no such kernel")));
        Assert.Equal((false, 0), (throwing.IsPassed, throwing.Cases));
        Assert.Contains("no such kernel", throwing.Failure);
        Assert.True(Run(pass, new ReferenceEngine()).IsPassed);

        // Far below the tolerance, and another value every time.
        void Wobble(Tensor tensor)
        {
            var values = ReferenceEngine.Values(tensor);
            int at = Array.FindIndex(values, double.IsFinite);
            values[at] += wobble += 1e-6;
            ReferenceEngine.SetValues(tensor, values);
        }
    }

    [Theory]
    [InlineData("forward-fp16-d64-rows128-buffers2-from100-block32")]
    [InlineData("decode-bf16-d96-ring2-heads2-block64-paged")]
    [InlineData("pack-bf16-unaligned")]
    [InlineData("merge-fp16")]
    [InlineData("decode-fp32")]
    public void A_forced_kernel_is_the_one_that_runs(string name)
    {
        TestScale.SkipUnlessDrawn(12);
        using var engine = Emulated(out var registry);
        var kernel = registry.Single(v => v.Kernel.Name == name);
        var result = Run(kernel.On(engine));
        Assert.True(result.IsPassed, result.Line(0));
        Assert.Equal((1, 0), (result.Cases, result.Others));
        Assert.Same(kernel.Kernel, engine.AttentionKernels.Last(kernel.Kernel.Operation));
    }

    [LongFact]
    public void A_kernel_that_is_wrong_or_never_runs_fails()
    {
        using var engine = Emulated(out var registry);
        var sound = registry.First(v =>
            v.Kernel is { Operation: KernelOperation.Forward, ElementType: ElementType.BFloat16, HeadDim: 64,
            IsPaged: false });
        Assert.True(Run(sound.On(engine)).IsPassed);

        // A kernel that takes bfloat16 for half precision.
        var other =
            registry.First(v => v.Kernel.Name == sound.Kernel.Name.Replace("bf16", "fp16", StringComparison.Ordinal));
        var wrong = Run((sound with { Kernel = sound.Kernel with { Name = "wrong", Method = other.Kernel.Method } })
            .On(engine));
        Assert.Equal((false, 1, 0), (wrong.IsPassed, wrong.Cases, wrong.Others));
        Assert.False(wrong.Worst!.IsWithin, wrong.Line(0));

        // A portable kernel that the engine does not know: its calls go to others, right as they are.
        var portable = registry.Single(v => v.Kernel.Name == "forward-fp32");
        var unknown = Run((portable with { Kernel = portable.Kernel with { Name = "unknown" } }).On(engine));
        Assert.Equal((false, 0, 1), (unknown.IsPassed, unknown.Cases, unknown.Others));
        Assert.Contains("never ran", unknown.Line(0));

        // A block width that the forced kernel does not have.
        var wide = registry.First(v =>
            v.Kernel is { ElementType: ElementType.Float16, HeadDim: 64, IsPaged: true, BlockColumns: 64,
            Operation: KernelOperation.Forward });
        var narrow = registry.First(v =>
            v.Kernel is { ElementType: ElementType.Float16, HeadDim: 64, IsPaged: true, BlockColumns: 16,
            Operation: KernelOperation.Forward });
        Assert.Contains("never ran", Run((narrow with { Cases = wide.Cases }).On(engine)).Line(0));
    }

    [Fact]
    public void Every_kernel_that_calls_launch_has_cases_that_fit_it()
    {
        using var engine = Emulated(out _);
        foreach (bool isSmall in (bool[])[true, false])
        {
            var all = RegistryVariants.Of(engine, isSmall);
            Assert.Equal(KernelVariants.All.Count(kernel => kernel.Operation != KernelOperation.Sample)
                + PortableVariants.All.Count, all.Count);
            foreach (var (kernel, cases, _) in all)
            {
                Assert.NotEmpty(cases);
                Assert.All(cases, check =>
                {
                    Assert.True(kernel.BlockColumns == 0 || kernel.BlockColumns == Math.Min(check.BlockTokens, 64),
                        $"{kernel.Name}: {check.Name}");
                    Assert.True(kernel.Operation is not (KernelOperation.Forward or KernelOperation.Decode)
                        || kernel.IsPaged == check.IsPaged, $"{kernel.Name}: {check.Name}");
                    Assert.Equal(kernel.Operation is KernelOperation.Decode or KernelOperation.Merge,
                        check.QueryCounts.All(count => count == 1));
                });
                // By query head, every head has a pattern of its own.
                int group = cases.Max(check => check.CreatePattern() is { } p && p.PatternHeads == p.KeyValueHeads
                    ? check.QueryHeads / check.KeyValueHeads : 1);
                Assert.True(kernel.GroupHeads == 0 || group % kernel.GroupHeads == 0, kernel.Name);
            }
            Assert.Equal(all.Count, all.Select(v => v.Kernel).Distinct().Count());
        }
    }

    [Fact]
    public void A_gradient_that_a_variant_does_not_compute_is_not_held_against_it() =>
        // spoils dK
        Assert.True(Run(CheckedPass.QueryGradient,
        new BrokenEngine(nameof(IEngine.AttentionBackward), BrokenEngine.Nudge)).IsPassed);

    [Fact]
    public void The_two_references_agree()
    {
        // Both are double precision; what remains is the rounding of the results to float.
        foreach (var pass in (CheckedPass[])[CheckedPass.Forward, CheckedPass.Backward, CheckedPass.Decode,
            CheckedPass.Merge])
            Assert.InRange(Run(pass, new ReferenceEngine()).Worst!.Error, 0, 1e-6);
    }

    [Fact]
    public void All_cases_pass_on_the_cpu_engine()
    {
        TestScale.SkipUnlessDrawn(3);
        using var engine = new CpuEngine();
        foreach (var pass in (CheckedPass[])[CheckedPass.Forward, CheckedPass.Backward, CheckedPass.Decode])
        {
            var result = Run(pass, engine, ElementType.Float32, isEmulated: false, headDim: 24);
            Assert.True(result.IsPassed, result.Line(0));
            Assert.Equal((pass == CheckedPass.Decode ? CheckCases.FullDecode : CheckCases.Full).Count, result.Cases);
        }
    }

    [Fact]
    public void All_cases_of_kernels_pass_on_the_cpu_engine()
    {
        TestScale.SkipUnlessDrawn(6);
        using var emulated = Emulated(out _);
        using var engine = new CpuEngine();
        var groups = RegistryVariants.Of(emulated, isEmulated: false).GroupBy(v => v.On(emulated).Pass, v => v.Cases);
        foreach (var group in groups)
        {
            CheckCase[] cases = [.. group.SelectMany(c => c).Distinct()];
            var result =
                Run(new EngineVariant("tested", group.Key, ElementType.Float32, ElementType.Float32, [16],
                engine) { Cases = cases }, isEmulated: false);
            Assert.True(result.IsPassed, result.Line(0));
            Assert.Equal(cases.Length, result.Cases);
            Assert.Equal(cases.Length, cases.Select(c => c.Name).Distinct().Count());
        }
    }

    [Fact]
    public void The_cases_reach_every_edge()
    {
        var cases = CheckCases.Full;
        Assert.Equal([16, 32, 64, 128], cases.Select(c => c.BlockTokens).Distinct().Order());
        Assert.Equal([16, 32, 64, 128], CheckCases.FullDecode.Select(c => c.BlockTokens).Distinct().Order());
        Assert.Contains(cases, c => !c.CreatePattern().IsCausal);
        Assert.Contains(cases, c => c.QueryCounts.Zip(c.KeyCounts, (q, k) => q < k).Any(isFewer => isFewer));
        Assert.Contains(cases, c => c.IsPacked && c.PaddingRows > 0);
        Assert.Contains(cases, c => !c.IsPacked && c.KeyCounts.Length > 1);
        Assert.Contains(cases, c => c.IsFused);
        Assert.Contains(cases, c => c.CreatePattern().PatternHeads == c.QueryHeads && c.QueryHeads > c.KeyValueHeads);
        Assert.Contains(CheckCases.FullDecode, c => c.QueryHeads == 8 * c.KeyValueHeads);
        Assert.Equal(cases.Count, cases.Select(c => c.Name).Distinct().Count());
    }

    [Theory]
    [InlineData("D128", "forward fp32 A 128; forward bf16 A 128; dK, dV bf16 kernel-d128 128")]
    [InlineData("fp32 D40", "forward fp32 A 40; decode fp32/bf16 A 40")]
    [InlineData("d40_FORWARD_d128", "forward fp32 A 40 128; forward bf16 A 128")]
    [InlineData("dK,_dV", "dK, dV bf16 kernel-d128 128")]
    [InlineData("rare", "decode fp16 rare-d64 64")] // on request: only where nothing else is meant
    [InlineData("D64", "forward fp32 A 64")]
    [InlineData(null,
        "forward fp32 A 40 64 128; forward bf16 A 128; decode fp32/bf16 A 40; dK, dV bf16 kernel-d128 128")]
    public void A_text_chooses_implementations_and_head_dimensions(string? only, string chosen)
    {
        using var engine = new ReferenceEngine();
        EngineVariant[] all =
        [
            new("A", CheckedPass.Forward, ElementType.Float32, ElementType.Float32, [40, 64, 128], engine),
            new("A", CheckedPass.Forward, ElementType.BFloat16, ElementType.BFloat16, [128], engine),
            new("A", CheckedPass.Decode, ElementType.Float32, ElementType.BFloat16, [40], engine),
            new("kernel-d128", CheckedPass.KeyValueGradients, ElementType.BFloat16, ElementType.BFloat16,
                [128], engine),
            new("rare-d64", CheckedPass.Decode, ElementType.Float16, ElementType.Float16, [64],
                engine) { IsOnRequest = true },
        ];
        Assert.Equal(chosen.Split("; "), VariantFilter.Choose(all, only)
            .Select(v => $"{v.PassName} {v.Types} {v.Name} {string.Join(' ', v.HeadDims)}"));
        string refusal = Assert.Throws<ArgumentException>(() => VariantFilter.Choose(all, "fp32 D4")).Message;
        Assert.Equal(
            "no implementation contains 'fp32 D4'; there are 5: forward fp32 A; forward bf16 A; decode fp32/bf16 A; "
            + "dK, dV bf16 kernel-d128; decode fp16 rare-d64; "
            + "head dimensions are D40, D64, D128", refusal);
    }

    [Fact]
    public async Task Only_some_head_dimensions_are_checked_and_a_text_without_a_match_is_answered_in_short()
    {
        string file = Path.Combine(_folder, "verify.json");
        string text = await Tool.SucceedAsync($"verify --device cpu --no-speed --only merge_D128 --out {file}");
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.All(json.RootElement.GetProperty("variants").EnumerateArray(), v =>
            Assert.Equal([128], v.GetProperty("headDims").EnumerateArray().Select(d => d.GetInt32())));
        Assert.DoesNotContain("D 40", text);

        var refused = await Tool.RunAsync("verify --device ilgpu-cpu --no-speed --only nothing-like-it");
        Assert.Equal(2, refused.ExitCode);
        Assert.Matches("^error: no implementation contains 'nothing-like-it'; there are [0-9]{3}, such as ",
            refused.Error);
        Assert.InRange(refused.Error.Length, 100, 1000);
        Assert.Equal(10, refused.Error.Split("such as ")[1].Split("; head dimensions")[0].Split("; ").Length);
    }

    [Theory]
    [InlineData(ElementType.Float16, 2e-3)]
    [InlineData(ElementType.BFloat16, 1.6e-2)]
    [InlineData(ElementType.Float32, 1e-5)]
    public void Tolerances_are_the_documented_ones(ElementType type, double limit)
    {
        Assert.Equal(new Cli.Verify.Tolerance(limit), Cli.Verify.Tolerance.Output(type));
        Assert.Equal(type == ElementType.Float32 ? new Cli.Verify.Tolerance(1e-4)
            : new Cli.Verify.Tolerance(limit, IsRelative: true), Cli.Verify.Tolerance.Gradient(type));
    }

    [Theory]
    [InlineData("verify --device nowhere", "unknown device 'nowhere'")]
    [InlineData("verify --device cpu --seed x", "--seed must be a whole number")]
    [InlineData("verify --device cpu --only nothing-like-it", "no implementation contains 'nothing-like-it'")]
    [InlineData("verify --device cpu --out /no/such/folder/v.json", "/no/such/folder")]
    public async Task Bad_input_gives_one_line(string arguments, string message) =>
        await Tool.RefuseAsync(arguments, message);

    private static VariantResult Run(CheckedPass pass, IEngine engine, ElementType type = ElementType.Float64,
        bool isEmulated = true, int headDim = 16)
    {
        return Run(new EngineVariant("tested", pass, type, type, [headDim], engine), isEmulated);
    }

    private static IlgpuEngine Emulated(out IReadOnlyList<RegistryVariant> registry)
    {
        var engine = (IlgpuEngine)Engine.Create("ilgpu-cpu");
        registry = RegistryVariants.Of(engine, isEmulated: true);
        return engine;
    }

    private static VariantResult Run(EngineVariant variant, bool isEmulated = true)
    {
        var result = new VerifyRun(Seeds.Current, isEmulated)
            .Run([variant], _ => { }, TestContext.Current.CancellationToken);
        return Assert.Single(result);
    }
}
