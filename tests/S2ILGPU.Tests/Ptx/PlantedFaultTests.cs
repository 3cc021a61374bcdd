using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;
using Xunit;
using Xunit.Sdk;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Faults planted into the kernels' PTX must be found, or the tests of the kernels prove nothing.</summary>
/// <remarks>
/// <para>Every missing wait, commit and barrier must be found, and what the machine finds must name a C# line. In the
/// backward and decoding kernels nothing is wrong with copies that read where they should leave zeros: nothing uses
/// those tiles, which are past the end of the list.</para>
/// <para>Of the arithmetic faults a few are planted at random places. Some have no effect there (an element that the
/// mask hides) or one below the tolerance, so most must be found. Of each kind one must be: while there is none, more
/// are planted, all if need be.</para>
/// <para>The portable backward kernel is tried with keys as rows: with queries as rows one of its barriers has nothing
/// to order.</para>
/// <para>Most dropped zero fills have no effect: rows outside the sequence are computed but not stored, and tiles
/// beyond the list are not read. Only reads outside of memory show, so they do not count among most.</para>
/// </remarks>
public sealed class PlantedFaultTests(ITestOutputHelper log)
{
    /// <summary>How many faults of a kind of arithmetic fault are planted at least.</summary>
    private const int Sample = 4;

    private delegate void Run(AttentionData data, CopyTiming copies, string? text);

    public static TheoryData<string> TileFamilies => [.. Sweeps.PlantedFaults];

    public static TheoryData<Type> PortableKernels => [.. Sweeps.PortablePlantedFaults];

    [Theory]
    [MemberData(nameof(TileFamilies))]
    public void Faults_of_kernels_with_tiles_are_found(string family)
    {
        TestScale.SkipUnlessDrawn(8);
        var kernel = KernelCatalog.Choose(family);
        bool isForward = kernel.Variant.Operation == KernelOperation.Forward;
        Check(kernel.Kernel, AttentionProblems.ForFaults(kernel), isZeroFillNeeded: isForward,
            (data, copies, text) =>
        {
            if (isForward)
                AttentionRuns.Forward(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), 1, kernel.Rows,
                    kernel.Placement, data, copies, text);
            else
                AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data,
                    Lines(kernel, data), copies, text);
        });
    }

    [Fact]
    public void Faults_of_decoding_are_found()
    {
        TestScale.SkipUnlessDrawn(8);
        var kernel = KernelCatalog.Choose(KernelCatalog.Families(typeof(Decode))
            .First(f => f.Contains("D64") && f.Contains("heads 2")));
        Check(kernel.Kernel, AttentionProblems.ForDecodeFaults(kernel), isZeroFillNeeded: false,
            (data, copies, text) =>
            AttentionRuns.Decode(kernel.Kernel, KernelCatalog.MergeOf(kernel.Type), kernel.Heads, 2, kernel.Placement,
            data, copies, decodeText: text));
    }

    [Fact]
    public void Faults_of_sampling_are_found()
    {
        TestScale.SkipUnlessDrawn(8);
        foreach (string family in TestScale.Part(KernelCatalog.Families(typeof(SampleTiles))
            .Where(f => f.Contains("D64") || f.Contains("D112")), 1))
        {
            var kernel = KernelCatalog.Choose(family);
            Check(kernel.Kernel, AttentionProblems.OfSample(kernel), isZeroFillNeeded: false,
                (data, copies, text) => SampleRuns.Run(kernel, data, copies, text));
        }
    }

    [Fact]
    public void Faults_of_delta_are_found()
    {
        TestScale.SkipUnlessDrawn(4);
        var kernel = KernelCatalog.Choose(KernelCatalog.Families(typeof(Backward))
            .First(f => f.StartsWith("QueryGradient")));
        var delta = KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim);
        Check(delta, AttentionProblems.Of(kernel).Take(1), isZeroFillNeeded: true,
            (data, copies, text) =>
            AttentionRuns.Backward(kernel.Kernel, kernel.RowsAreKeys, kernel.First, kernel.Second, data,
                AttentionRuns.Delta(delta, data, copies, data.Lists().OfKeys(), text), copies));
    }

    [Theory]
    [MemberData(nameof(PortableKernels))]
    public void Faults_of_portable_kernels_are_found(Type kernel)
    {
        TestScale.SkipUnlessDrawn(6);
        var type = Seeds.NewRandom().Pick(ElementType.Float32, ElementType.BFloat16, ElementType.Float16);
        if (kernel == typeof(PortableForward))
            Check(PortableRuns.KernelOf(kernel, type), AttentionProblems.OfPortable(type).Take(1),
                isZeroFillNeeded: true,
                (data, _, text) => PortableRuns.Forward(data, KeyPlacement.Packed, text: text));
        else if (kernel == typeof(PortableDecode))
            Check(PortableRuns.KernelOf(kernel, type), AttentionProblems.OfPortableDecode(type).Take(1),
                isZeroFillNeeded: true,
                (data, _, text) => PortableRuns.Decode(data, KeyPlacement.Pages, 2, text));
        else
            Check(PortableRuns.BackwardKernel(typeof(KeyRows)),
                AttentionProblems.OfPortable(ElementType.Float32).Take(1),
                isZeroFillNeeded: true,
                (data, _, text) => PortableRuns.Backward(typeof(KeyRows), data, PortableRuns.Delta(data), text));
    }

    private static float[] Lines(TestedKernel kernel, AttentionData data) =>
        AttentionRuns.Delta(KernelCatalog.DeltaOf(kernel.Type, kernel.HeadDim), data, CopyTiming.Late,
        data.Lists().OfKeys());

    private void Check(InterpretedKernel kernel, IEnumerable<AttentionData> problems, bool isZeroFillNeeded, Run run)
    {
        AttentionData[] data = [.. problems];
        foreach (var one in data)
            run(one, CopyTiming.Late, null);
        int tried = 0, missed = 0;
        foreach (var kind in Mutants(kernel, isZeroFillNeeded).GroupBy(m => m.Kind))
        {
            bool isSynchronization = IsSynchronization(kind.Key);
            var found = new List<PtxMutant>();
            var missedOfKind = new List<PtxMutant>();
            foreach (var mutant in kind)
            {
                if (!isSynchronization && found.Count + missedOfKind.Count >= Sample && found.Count > 0)
                    break;
                (IsFound(mutant, data, run) ? found : missedOfKind).Add(mutant);
            }
            log.WriteLine(
                $"{kernel.Method.Name}: {kind.Key}: {found.Count} of {found.Count + missedOfKind.Count} found, not: "
                + $"{string.Join(", ", missedOfKind)}");
            Assert.True(found.Count > 0, $"no {kind.Key} was found of {missedOfKind.Count}; {Seeds.Text}");
            Assert.True(!isSynchronization || missedOfKind.Count == 0,
                $"missed: {string.Join(", ", missedOfKind)}; {Seeds.Text}");
            if (kind.Key == PtxMutantKind.ZeroFillDropped)
                continue;
            tried += found.Count + missedOfKind.Count;
            missed += missedOfKind.Count;
        }
        Assert.True(missed * 4 <= tried, $"{missed} of {tried} missed; {Seeds.Text}");
    }

    // A vote about results that are not finite changes nothing here, where all of them are: left out.
    private static IEnumerable<PtxMutant> Mutants(InterpretedKernel kernel, bool isZeroFillNeeded)
    {
        var votes = LinesOf(kernel.Text, $"{nameof(WarpVote)}.cs");
        return PtxMutants.Plant(kernel.Text, Seeds.NewRandom())
            .Where(m => (isZeroFillNeeded || m.Kind != PtxMutantKind.ZeroFillDropped) && !votes.Contains(m.Line));
    }

    // The lines of a PTX text that come from a C# file.
    private static HashSet<int> LinesOf(string text, string file)
    {
        string[] lines = text.Split('\n');
        string? number = lines.FirstOrDefault(line => line.TrimStart().StartsWith(".file", StringComparison.Ordinal)
            && line.Contains(file, StringComparison.Ordinal))?.Split([' ', '\t'],
            StringSplitOptions.RemoveEmptyEntries)[1];
        var found = new HashSet<int>();
        bool isInside = false;
        foreach (var (n, line) in lines.Index())
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words is [".loc", var from, ..])
                isInside = from == number;
            else if (isInside)
                found.Add(n + 1);
        }
        return found;
    }

    // Late and early copies, and both problems: as the tests of the kernels do.
    private static bool IsFound(PtxMutant mutant, AttentionData[] problems, Run run)
    {
        string text = mutant.Text;
        foreach (var data in problems)
            foreach (var copies in new[] { CopyTiming.Late, CopyTiming.Early })
                try
                {
                    run(data, copies, text);
                }
                catch (PtxFaultException fault)
                {
                    Assert.True(fault.Line is not null, fault.Message);
                    return true;
                }
                catch (XunitException)
                {
                    return true;
                }
        return false;
    }

    private static bool IsSynchronization(PtxMutantKind kind) =>
        kind is PtxMutantKind.WaitDropped or PtxMutantKind.WaitWeakened or PtxMutantKind.CommitDropped
        or PtxMutantKind.BarrierDropped or PtxMutantKind.WarpBarrierDropped or PtxMutantKind.MaskOffByOne;
}
