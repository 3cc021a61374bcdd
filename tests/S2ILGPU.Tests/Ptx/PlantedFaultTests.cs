using S2ILGPU.Kernels;
using S2ILGPU.Launch;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;
using Xunit.Sdk;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Faults planted into the kernels' PTX must be found, or the tests of the kernels prove nothing.</summary>
/// <remarks>
/// <para>Every missing wait, commit and barrier must be found. Equivalent mutants, where nothing is wrong: the last wait of the kernels with tiles, behind the loops, since nothing reads copies
/// of tiles beyond the list
/// any more; and in the backward and decoding kernels copies that should leave zeros, since those are such copies beyond the list as well.</para>
/// <para>Of the arithmetic faults a few are planted at random places. Some have no effect there (an element that the mask hides) or one below the tolerance, so most must be found, and some of
/// each kind.</para>
/// </remarks>
public sealed class PlantedFaultTests(ITestOutputHelper log)
{
    private delegate void Run(AttentionData data, CopyTiming copies, string? text);

    public static TheoryData<string> TileFamilies => [.. KernelCatalog.Families(typeof(Forward), typeof(Backward)).Where(family => family.Contains("D64") || family.Contains("D128"))];

    [Theory]
    [MemberData(nameof(TileFamilies))]
    public void Faults_of_kernels_with_tiles_are_found(string family)
    {
        var kernel = KernelCatalog.Choose(family);
        bool isForward = kernel.Variant.Operation == KernelOperation.Forward;
        Check(kernel.Kernel, AttentionProblems.ForFaults(kernel), isLastWaitNeeded: false, isZeroFillNeeded: isForward, (data, copies, text) =>
        {
            if (isForward)
                AttentionRuns.Forward(kernel.Kernel, kernel.Rows, kernel.Placement, data, copies, text);
            else
                AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data, Lines(kernel, data), copies, text);
        });
    }

    [Fact]
    public void Faults_of_decoding_are_found()
    {
        var kernel = KernelCatalog.Choose(KernelCatalog.Families(typeof(Decode)).First(f => f.Contains("D64") && f.Contains("heads 2")));
        Check(kernel.Kernel, AttentionProblems.ForDecodeFaults(kernel), isLastWaitNeeded: true, isZeroFillNeeded: false,
            (data, copies, text) => AttentionRuns.Decode(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), kernel.Heads, 2, kernel.Placement, data, copies, decodeText: text));
    }

    [Fact]
    public void Faults_of_delta_are_found()
    {
        var kernel = KernelCatalog.Choose(KernelCatalog.Families(typeof(Backward)).First(f => f.StartsWith("QueryGradient")));
        var delta = KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim);
        Check(delta, AttentionProblems.Of(kernel).Take(1), isLastWaitNeeded: true, isZeroFillNeeded: true, (data, copies, text) =>
            AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data, AttentionRuns.Delta(delta, data, copies, data.Lists().OfKeys(), text), copies));
    }

    private static float[] Lines(TestedKernel kernel, AttentionData data) =>
        AttentionRuns.Delta(KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim), data, CopyTiming.Late, data.Lists().OfKeys());

    private void Check(InterpretedKernel kernel, IEnumerable<AttentionData> problems, bool isLastWaitNeeded, bool isZeroFillNeeded, Run run)
    {
        AttentionData[] data = [.. problems];
        foreach (var one in data)
            run(one, CopyTiming.Late, null);
        var missed = new List<PtxMutant>();
        PtxMutant[] mutants = [.. PtxMutants.Plant(kernel.Text, Seeds.NewRandom(), perKind: 4)
            .Where(m => isZeroFillNeeded || m.Kind != PtxFaultKind.ZeroFillDropped)
            .Where(m => isLastWaitNeeded || m.Kind is not (PtxFaultKind.WaitDropped or PtxFaultKind.WaitWeakened) || m.Ordinal < m.Count - 1)];
        foreach (var mutant in mutants)
            if (!IsFound(mutant, data, run))
                missed.Add(mutant);
        log.WriteLine($"{kernel.Method.Name}: {mutants.Length - missed.Count} of {mutants.Length} found, not: {string.Join(", ", missed)}");
        Assert.Empty(missed.Where(IsSynchronization).Select(m => $"{m}; {Seeds.Text}"));
        Assert.All(mutants.GroupBy(m => m.Kind), kind => Assert.True(kind.Any(m => !missed.Contains(m)), $"no {kind.Key} was found; {Seeds.Text}"));
        Assert.True(missed.Count * 4 <= mutants.Length, $"{missed.Count} of {mutants.Length} missed: {string.Join(", ", missed)}; {Seeds.Text}");
    }

    // Late and early copies, and both problems: as the tests of the kernels do.
    private static bool IsFound(PtxMutant mutant, AttentionData[] problems, Run run)
    {
        foreach (var data in problems)
            foreach (var copies in new[] { CopyTiming.Late, CopyTiming.Early })
                try
                {
                    run(data, copies, mutant.Text);
                }
                catch (Exception e) when (e is PtxFaultException or XunitException)
                {
                    return true;
                }
        return false;
    }

    private static bool IsSynchronization(PtxMutant mutant) =>
        mutant.Kind is PtxFaultKind.WaitDropped or PtxFaultKind.WaitWeakened or PtxFaultKind.CommitDropped or PtxFaultKind.BarrierDropped or PtxFaultKind.WarpBarrierDropped or PtxFaultKind.MaskOffByOne;
}
