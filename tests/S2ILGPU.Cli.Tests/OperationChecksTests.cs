using S2ILGPU.Cli.Verify.Operations;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>The operations of <c>s2 verify</c>: all are there, sound engines pass, and each check can fail.</summary>
public sealed class OperationChecksTests
{
    // Attention and its merge are checked as variants, the others by every check.
    private static readonly string[] s_elsewhere = [nameof(IEngine.AttentionForward), nameof(IEngine.AttentionBackward),
        nameof(IEngine.MergePartitions), nameof(IEngine.Allocate), nameof(IEngine.Download),
        nameof(IEngine.Synchronize), nameof(IEngine.SupportsActivations), nameof(IEngine.SupportsAttention)];

    public static TheoryData<string> Nudged =>
        [.. Operations().Except([nameof(IEngine.Upload), nameof(IEngine.CountNonFinite)])];

    [Fact]
    public void Every_operation_of_the_contract_is_checked()
    {
        using var engine = new CpuEngine();
        Assert.Equal(Operations().Order(),
            OperationChecks.Of(engine, isEmulated: false).Select(c => c.Name).Distinct().Order());
    }

    [Fact]
    public void The_CPU_engine_passes_in_every_type()
    {
        TestScale.SkipUnlessDrawn(6);
        using var engine = new CpuEngine();
        var results = new OperationRun(engine, Seeds.Current, isEmulated: false)
            .Run(OperationChecks.Of(engine, isEmulated: true), _ => { }, TestContext.Current.CancellationToken);
        Assert.All(results, r => Assert.True(r.IsPassed, $"{r.Line(0)}; {Seeds.Text}"));
        Assert.Contains(results, r => r is { Name: nameof(IEngine.MatMul), Type: ElementType.BFloat16, Cases: > 300 });
    }

    [Fact]
    public void The_CPU_engine_samples_rows_with_every_head_dimension()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = new CpuEngine();
        var results = new OperationRun(engine, Seeds.Current, isEmulated: true)
            .Run([.. OperationChecks.Of(engine, isEmulated: false)
                .Where(c => c.Name == nameof(IAttentionSampler.SampleRows))], _ => { },
                TestContext.Current.CancellationToken);
        Assert.All(results, r => Assert.True(r is { IsPassed: true, Cases: 8 * 4 * 2 * 2 },
            $"{r.Line(0)}; {Seeds.Text}"));
        Assert.Equal([ElementType.Float32, ElementType.BFloat16], results.Select(r => r.Type));
    }

    [Theory]
    [MemberData(nameof(Nudged))]
    public void One_wrong_element_of_an_operation_fails(string operation)
    {
        using var engine = new BrokenSampler(operation, BrokenEngine.Nudge);
        var results = new OperationRun(engine, Seeds.Current, isEmulated: true)
            .Run([.. OperationChecks.Of(engine, isEmulated: true).Where(c => c.Name == operation)], _ => { },
                TestContext.Current.CancellationToken);
        Assert.All(results.Where(r => r.Type == ElementType.Float64), r => Assert.False(r.IsPassed, r.Line(0)));
        Assert.Contains(results, r => r.Type == ElementType.Float64);
    }

    [Fact]
    public void A_sample_of_a_long_context_passes_and_can_fail()
    {
        using var sound = new CpuEngine();
        var result = new LongContextCheck(sound, 2, 1, 64, 8192).Run(ElementType.Float32, Seeds.Current);
        Assert.True(result.IsPassed, $"{result.Line(0)}; {Seeds.Text}");
        Assert.Equal(32, result.Cases);
        using var broken = new BrokenEngine(nameof(IEngine.AttentionForward), BrokenEngine.Poison);
        Assert.False(new LongContextCheck(broken, 1, 1, 8, 128).Run(ElementType.Float64, Seeds.Current).IsPassed);
    }

    [Fact]
    public void Every_product_kernel_has_checks_that_fit_it()
    {
        using var engine = (IlgpuEngine)Engine.Create("ilgpu-cpu");
        var checks = MatMulChecks.OfVariants(engine, isEmulated: false).ToLookup(check => check.Name);
        foreach (int kilobytes in new[] { 228, 164, 100 })
            foreach (var variant in MatMulVariants.All.Where(v => v.MultiprocessorKilobytes <= kilobytes))
            {
                Assert.True(AttentionLaunchTable.RunsOn(variant, kilobytes), $"{variant}, {kilobytes} KB");
                Assert.Equal(4, checks[variant.Name].Count());
                var problems = checks[variant.Name].SelectMany(check => check.Sizes!).Select(size =>
                    new ProductProblem(variant.ElementType, size.Rows, size.Columns, size.Inner, variant.TransposeA,
                        variant.TransposeB || variant.Operation == KernelOperation.PartSum)).ToArray();
                Assert.Contains(problems, problem => MatMulLaunchTable.Parts(problem) > 1);
                if (variant.Operation == KernelOperation.PartSum)
                    Assert.All(problems, problem => Assert.True(MatMulLaunchTable.Parts(problem) > 1));
                else
                {
                    Assert.All(problems, problem => Assert.True(MatMulLaunchTable.Fits(variant, problem)));
                    Assert.Contains(problems, problem => MatMulLaunchTable.Parts(problem) == 1);
                }
            }
        Assert.Equal(MatMulVariants.All.Select(v => v.Name).Order(), checks.Select(group => group.Key).Order());
        Assert.Equal(["fewrows-bf16-8", "fewrows-fp16-8", "matmul-bf16-nn-128x256-stages4",
            "matmul-fp16-nn-128x256-stages4", "matmul-tf32-nt-128x256-stages4", "partsum-bf16"],
            MatMulChecks.OfVariants(engine, isEmulated: true).Where(c => !c.IsOnRequest).Select(c => c.Name).Order());
    }

    [Theory]
    [InlineData("fewrows-bf16-16")]
    [InlineData("matmul-fp16-tn-128x128-stages3")]
    [InlineData("partsum-bf16")]
    public void A_forced_product_kernel_is_the_one_that_runs(string name)
    {
        TestScale.SkipUnlessDrawn(6);
        using var engine = (IlgpuEngine)Engine.Create("ilgpu-cpu");
        var device = new DeviceInfo("ilgpu-cpu", "", DeviceKind.Emulated, 0, 1, "");
        var result = Assert.Single(new OperationChoice(engine, device, name)
            .Run(Seeds.Current, _ => { }, TestContext.Current.CancellationToken));
        Assert.Equal((name, 1, true), (result.Name, result.Cases, result.IsPassed));
        Assert.Contains(name, new[] { engine.Products.Last?.Name, engine.Products.LastSum?.Name });
    }

    [Fact]
    public void A_product_kernel_that_never_runs_fails()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = (IlgpuEngine)Engine.Create("ilgpu-cpu");
        var other = MatMulVariants.All.Single(v => v.Name == "fewrows-bf16-16");
        var check = MatMulChecks.OfVariants(engine, isEmulated: true).Single(c => c.Name == "fewrows-bf16-8");
        var result = Assert.Single(new OperationRun(engine, Seeds.Current, isEmulated: true)
            .Run([check with { Force = () => engine.Products.Force(other) }], _ => { },
                TestContext.Current.CancellationToken));
        Assert.False(result.IsPassed);
        Assert.Contains("never ran", result.Line(0));
    }

    private static IEnumerable<string> Operations() => typeof(IEngine).GetMethods()
        .Where(m => !m.IsSpecialName).Select(m => m.Name).Append(nameof(IAttentionSampler.SampleRows)).Distinct()
        .Except(s_elsewhere);
}
