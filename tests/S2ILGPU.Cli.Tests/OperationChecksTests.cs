using S2ILGPU.Cli.Verify.Operations;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
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
        TestScale.SkipUnlessDrawn(3);
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

    private static IEnumerable<string> Operations() => typeof(IEngine).GetMethods()
        .Where(m => !m.IsSpecialName).Select(m => m.Name).Append(nameof(IAttentionSampler.SampleRows)).Distinct()
        .Except(s_elsewhere);
}
