using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>Two everyday kernels, correct and with one fault of each kind.</summary>
public sealed class FaultTests
{
    private static readonly FaultyKernel s_sum = FaultyKernel.Of<SumArguments>(SumKernel.Run, SumKernel.Threads),
        s_product = FaultyKernel.Of<MatMulArguments>(MatMulKernel.Run, MatMulKernel.Tile * MatMulKernel.Tile);

    private readonly float[] _x = Numbers(500, 1), _sums = new float[4], _a = Numbers(48 * 48, 2),
        _b = Numbers(48 * 48, 3), _c = new float[48 * 48];

    [Fact]
    public void Correct_kernels_have_no_finding_and_right_results()
    {
        s_sum.IsClean(4, Sum(Planted.Nothing));
        for (int g = 0; g < 4; g++)
            Assert.Equal(_x.Skip(g * 128).Take(128).Sum(v => (double)v), _sums[g], 1e-4);
        s_product.IsClean(new PtxDim(3, 3), Product(Planted.Nothing));
        for (int n = 0; n < _c.Length; n++)
            Assert.Equal(Enumerable.Range(0, 48).Sum(k => (double)_a[n / 48 * 48 + k] * _b[k * 48 + n % 48]), _c[n],
                1e-4);
    }

    [Theory]
    [InlineData(PtxFaultKind.OutOfBounds, Planted.Bounds)]
    [InlineData(PtxFaultKind.Uninitialised, Planted.Uninitialised)]
    [InlineData(PtxFaultKind.DivergentBarrier, Planted.Divergent)]
    [InlineData(PtxFaultKind.Race, Planted.Race)]
    public void Fault_is_found_on_its_line(PtxFaultKind kind, Planted fault)
    {
        s_sum.Finds(kind, $"{fault}", 4, Sum(fault));
        s_product.Finds(kind, $"{fault}", new PtxDim(3, 3), Product(fault));
    }

    [Fact]
    public void Message_names_both_lines_of_a_race()
    {
        var race = s_product.Finds(PtxFaultKind.Race, nameof(Planted.Race), new PtxDim(3, 3), Product(Planted.Race));
        Assert.Contains(nameof(Planted.Race), FaultyKernel.MarksOf(race.OtherLine));
        Assert.Matches(@"MatMulKernel\.cs:\d+ at MatMulKernel\.cs:\d+; PTX line \d+", race.Message);
    }

    private Action<KernelArguments> Sum(Planted fault) => a => a.View("X", _x).View("Sums", _sums, PtxAccess.Output)
        .Value("Count", 500).Value("Fault", fault);

    private Action<KernelArguments> Product(Planted fault) => a => a.View("A", _a).View("B", _b)
        .View("C", _c, PtxAccess.Output).Value("Size", 48).Value("Fault", fault);

    private static float[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }
}
