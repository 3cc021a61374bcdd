using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Variants;
using Xunit;
using Xunit.Sdk;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the kernels of matrix products, executed with copies as late and as early as possible, against
/// float64: edges of tiles and panels, strided rows, both types of results, overwritten and added to, in
/// parts.</summary>
public sealed class ProductKernelTests(ITestOutputHelper log)
{
    public static TheoryData<string> Kernels => [.. Sweeps.Products];

    public static TheoryData<string> Tf32Tiles => [.. Sweeps.Tf32Tiles];

    internal static IEnumerable<string> AllNames =>
        MatMulVariants.All.Where(variant => variant.Operation != KernelOperation.PartSum)
        .Select(variant => variant.Name);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Products_agree_with_float64(string name)
    {
        TestScale.SkipUnlessDrawn(6);
        var variant = MatMulVariants.All.Single(v => v.Name == name);
        var kernel = ProductRuns.KernelOf(variant);
        foreach (var problem in ProductRuns.Problems(variant))
        {
            var data = ProductRuns.DataOf(variant, problem);
            foreach (var copies in Enum.GetValues<CopyTiming>())
                ProductRuns.Run(variant, kernel, data, copies);
        }
    }

    /// <summary>Every form of a product of TF32: what does not lie as [M, K] and [N, K] is transposed in memory. The
    /// float64 product is that of rounded factors, of which none is off by more than half a step of TF32.</summary>
    [Theory]
    [MemberData(nameof(Tf32Tiles))]
    public void Tf32_tiles_take_every_form(string name)
    {
        TestScale.SkipUnlessDrawn(3);
        var variant = MatMulVariants.All.Single(v => v.Name == name);
        var kernel = ProductRuns.KernelOf(variant);
        // whether A and B are transposed: NT, NN, TT, TN
        foreach (var copied in TestScale.Part([(false, false), (false, true), (true, false), (true, true)], 1))
            foreach (var problem in ProductRuns.Tf32Problems(variant))
            {
                var data = ProductRuns.DataOf(variant, problem);
                foreach (var operand in new[] { data.A, data.B })
                    Assert.All(operand.Values.Zip(operand.Factors), pair =>
                        Assert.True(Math.Abs(pair.First - pair.Second) <= Math.Abs(pair.First) / 2048));
                foreach (var copies in Enum.GetValues<CopyTiming>())
                    ProductRuns.Run(variant, kernel, data, copies, copied: copied);
            }
    }

    /// <summary>Every missing wait, commit and barrier must be found, and of other faults one of each kind: while there
    /// is none, more are planted. Most dropped zero fills have no effect, since lanes beyond the matrices reach only
    /// results that are not stored.</summary>
    [Fact]
    public void Planted_faults_are_found()
    {
        TestScale.SkipUnlessDrawn(6);
        var random = Seeds.NewRandom();
        var variant = random.Pick([.. MatMulVariants.All.Where(v => v is
        {
            Operation: KernelOperation.MatMul,
            Rows: 64,
        })]);
        var kernel = ProductRuns.KernelOf(variant);
        // through both loops, with an edge in every dimension; what 16 bits of a result hide shows in singles
        bool isTf32 = variant.ElementType == ElementType.Float32;
        var problem = new ProductCase(66, 60, (64 * 7 + 24) / (isTf32 ? 2 : 1), Gap: 8);
        ProductCase[] problems = isTf32 ? [problem with { IsSingle = true }, problem] : [problem];
        var data = problems.Select(each => ProductRuns.DataOf(variant, each)).ToArray();
        // there is no mask: the comparison that occurs most often is one of lanes beyond a matrix
        var mutants = PtxMutants.Plant(kernel.Text, random).Where(mutant => mutant.Kind != PtxMutantKind.MaskOffByOne);
        foreach (var kind in mutants.GroupBy(mutant => mutant.Kind))
        {
            bool isSynchronization = kind.Key is PtxMutantKind.WaitDropped or PtxMutantKind.WaitWeakened
                or PtxMutantKind.CommitDropped or PtxMutantKind.BarrierDropped;
            int found = 0;
            var missed = new List<PtxMutant>();
            foreach (var mutant in kind.TakeWhile(_ => isSynchronization || found == 0 || found + missed.Count < 4))
                if (IsFound(mutant))
                    found++;
                else
                    missed.Add(mutant);
            log.WriteLine($"{variant}: {kind.Key}: {found} found, not: {string.Join(", ", missed)}");
            Assert.True(found > 0 && (missed.Count == 0 || !isSynchronization),
                $"{variant}: missed {string.Join(", ", missed)}; {Seeds.Text}");
        }

        bool IsFound(PtxMutant mutant)
        {
            foreach (var (each, copies) in from each in data
                                           from copies in Enum.GetValues<CopyTiming>()
                                           select (each, copies))
                try
                {
                    ProductRuns.Run(variant, kernel, each, copies, mutant.Text);
                }
                catch (Exception e) when (e is PtxFaultException or XunitException)
                {
                    return true;
                }
            return false;
        }
    }
}
