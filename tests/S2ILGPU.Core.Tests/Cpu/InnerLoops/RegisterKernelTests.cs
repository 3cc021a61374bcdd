using System.Runtime.InteropServices;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.InnerLoops;

/// <summary>Every height and width of tile, every way in which it begins and ends, against double precision.</summary>
public sealed class RegisterKernelTests
{
    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.Available];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Products_of_any_height(SimdWidth simd) => Run(simd, check => check.Products_of_any_height());

    [Theory]
    [MemberData(nameof(Widths))]
    public void The_highest_tile(SimdWidth simd) => Run(simd, check => check.The_highest_tile());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Scores_track_the_largest_of_every_column(SimdWidth simd) =>
        Run(simd, check => check.Scores_track_the_largest_of_every_column());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Score_gradients_are_weighted_differences(SimdWidth simd) =>
        Run(simd, check => check.Score_gradients_are_weighted_differences());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Products_of_panels(SimdWidth simd) => Run(simd, check => check.Products_of_panels());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Powers_of_two(SimdWidth simd) => Run(simd, check => check.Powers_of_two());

    private static void Run(SimdWidth simd, Action<RegisterKernelCheck> test)
    {
        using RegisterKernelCheck check = simd switch
        {
            SimdWidth.Bits512 => new RegisterKernelCheck<Simd512>(),
            SimdWidth.Bits256 => new RegisterKernelCheck<Simd256>(),
            SimdWidth.Bits128 => new RegisterKernelCheck<Simd128>(),
            _ => new RegisterKernelCheck<SimdScalar>(),
        };
        test(check);
    }
}

/// <summary>The checks of one register width.</summary>
internal abstract class RegisterKernelCheck : IDisposable
{
    public abstract void Products_of_any_height();

    public abstract void The_highest_tile();

    public abstract void Scores_track_the_largest_of_every_column();

    public abstract void Score_gradients_are_weighted_differences();

    public abstract void Products_of_panels();

    public abstract void Powers_of_two();

    public abstract void Dispose();
}

internal sealed unsafe class RegisterKernelCheck<T> : RegisterKernelCheck
    where T : unmanaged, ISimd<T>
{
    private const int Floats = 1 << 14, Border = 3;

    private readonly Random _random = Seeds.NewRandom();
    private readonly float*[] _memory = new float*[6];
    private readonly List<nint> _owned = [];

    public RegisterKernelCheck()
    {
        for (int n = 0; n < _memory.Length; n++)
        {
            _memory[n] = (float*)NativeMemory.AlignedAlloc(Floats * sizeof(float), 64);
            _owned.Add((nint)_memory[n]);
            foreach (ref float x in new Span<float>(_memory[n], Floats))
                x = (float)(_random.NextDouble() * 2 - 1);
        }
    }

    public override void Products_of_any_height()
    {
        for (int rows = 0; rows <= 20; rows++)
            ProductsOf(rows);
    }

    private void ProductsOf(int rows)
    {
        foreach (int registers in (int[])[1, 2, 3, 4, 5])
            foreach (int steps in (int[])[0, 1, 7])
            {
                int columns = registers * T.Count;
                var rowMajor = new Product { A = _memory[0], RowStride = 33, B = _memory[1], BStride = columns + 5,
                    C = _memory[2], CStride = columns + Border, Steps = steps };
                var columnMajor = rowMajor with { RowStride = 0, StepStride = 37 };
                Check(rowMajor, 33, 1, rows, columns, 0, 0, p => RegisterKernels<T>.Multiply<AnyStride, UnitStride,
                    Overwrite<T>>(p, rows, columns, default));
                Check(columnMajor, 1, 37, rows, columns, 1, 0, p => RegisterKernels<T>.Multiply<UnitStride, AnyStride,
                    Accumulate<T>>(p, rows, columns, default));
                Check(columnMajor, 1, 37, rows, columns, 1, 0, p => RegisterKernels<T>.Multiply<UnitStride, AnyStride,
                    AccumulateLate<T>>(p, rows, columns, default));
                Check(columnMajor, 1, 37, rows, columns, 0, 1, p => RegisterKernels<T>.Multiply<UnitStride, AnyStride,
                    Rescale<T>>(p, rows, columns, new Rescale<T>(_memory[3])));
            }
    }

    public override void The_highest_tile()
    {
        int columns = 2 * T.Count;
        var packed = new Product { A = _memory[0], StepStride = 12, B = _memory[1], BStride = columns, C = _memory[2],
            CStride = columns + Border, Steps = 19 };
        Check(packed, 1, 12, 12, columns, 1, 0, p => RegisterKernels<T>.Tile12x2<UnitStride, AnyStride,
            Accumulate<T>>(p, 0, 0, default));
    }

    public override void Scores_track_the_largest_of_every_column()
    {
        int rows = 13, columns = 3 * T.Count;
        var p = new Product { A = _memory[0], RowStride = 33, B = _memory[1], BStride = columns, C = _memory[2],
            CStride = columns, Steps = 9 };
        float* max = _memory[3];
        new Span<float>(max, columns).Fill(0.25f);
        RegisterKernels<T>.Multiply<AnyStride, UnitStride, TrackMax<T>>(p, rows, columns, new TrackMax<T>(max));
        for (int j = 0; j < columns; j++)
        {
            float expected = 0.25f;
            for (int i = 0; i < rows; i++)
                expected = Math.Max(expected, p.C[i * columns + j]);
            Assert.Equal(expected, max[j]);
        }
    }

    public override void Score_gradients_are_weighted_differences()
    {
        int rows = 13, columns = 3 * T.Count;
        var p = new Product { A = _memory[0], RowStride = 33, B = _memory[1], BStride = columns, C = _memory[2],
            CStride = columns, Steps = 9 };
        float* weight = _memory[3], shift = _memory[4], copy = _memory[5];
        RegisterKernels<T>.Multiply<AnyStride, UnitStride, WeightedDifference<T>>(p, rows, columns,
            new((nint)(weight - p.C), shift, copy, columns + 1));
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
            {
                float result = p.C[i * columns + j];
                Assert.Equal(weight[i * columns + j] * (Sum(p, 33, 1, i, j) - shift[i]), result, 1e-5);
                Assert.Equal(result, copy[i * (columns + 1) + j]);
            }
    }

    public override void Powers_of_two()
    {
        float[] special = [0, -0f, -126, -126.5f, -127, -150, -1e30f, float.NegativeInfinity, float.NaN, 127, 1e-30f];
        float[] x = [.. special, .. Enumerable.Range(0, 4096 - special.Length)
            .Select(_ => (float)(_random.NextDouble() * 252 - 126))];
        for (int n = 0; n < x.Length; n++)
            _memory[0][n] = x[n];
        for (int n = 0; n < x.Length; n += 2 * T.Count)
        {
            T a = T.Load(_memory[0] + n), b = T.Load(_memory[0] + n + T.Count);
            T.Store(SimdMath.Exp2(a), _memory[1] + n);
            T.Store(SimdMath.Exp2(b), _memory[1] + n + T.Count);
            SimdMath.Exp2(ref a, ref b);
            T.Store(a, _memory[2] + n);
            T.Store(b, _memory[2] + n + T.Count);
        }
        for (int n = 0; n < x.Length; n++)
        {
            float result = _memory[1][n];
            Assert.Equal(result, _memory[2][n]);
            if (float.IsNaN(x[n]))
                Assert.Equal(float.NaN, result);
            else if (x[n] < -126)
                Assert.InRange(result, 0, x[n] < -127 ? 0 : 1.2e-38f);
            else
                Assert.InRange(result / Math.Pow(2, x[n]), 1 - 2.5e-7, 1 + 2.5e-7);
        }
    }

    // Of every range of columns: A row-major and in tiles with a gap, all panels of B in one pass and one at a time.
    public override void Products_of_panels()
    {
        int pair = 2 * T.Count, height = RegisterKernels<T>.Height;
        foreach (int rows in (int[])[0, 1, height, height + 3, 2 * height])
            foreach (int steps in (int[])[0, 5, 70])
                for (int first = 0; first < 4; first++)
                    for (int end = first; end <= 4; end++)
                    {
                        var panels = new PanelStrides(pair * 71, pair * 31, FloatsOfB: end % 2 * pair * 1000);
                        var p = new Product { A = _memory[0], RowStride = 73, B = _memory[1], BStride = pair,
                            C = _memory[2], CStride = pair, Steps = steps };
                        CheckPanels(p, panels, rows, first * T.Count, end * T.Count, (i, k) => i * 73 + k,
                            (q, f, e) => RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, Rescale<T>>(q, panels,
                            rows, f, e, new(_memory[3])));
                        var gaps = panels with { TileGap = 500 - height };
                        CheckPanels(p, gaps, rows, first * T.Count, end * T.Count,
                            (i, k) => i / height * 500 + i % height + k * height,
                            (q, f, e) => RegisterKernels<T>.MultiplyPanels<UnitStride, TileStep<T>, Rescale<T>>(q, gaps,
                            rows, f, e, new(_memory[3])));
                    }
    }

    private void CheckPanels(Product p, PanelStrides panels, int rows, int first, int end, Func<int, int, int> inA,
        Action<Product, int, int> kernel)
    {
        int pair = 2 * T.Count;
        float[] expected = new Span<float>(p.C, Floats).ToArray();
        for (int i = 0; i < rows; i++)
            for (int j = first; j < end; j++)
            {
                int panel = j / pair, column = j % pair, at = (int)(panel * panels.C) + i * pair + column;
                double sum = expected[at] * (double)_memory[3][j];
                for (int k = 0; k < p.Steps; k++)
                    sum += (double)p.A[inA(i, k)] * p.B[panel * panels.B + k * pair + column];
                expected[at] = (float)sum;
            }
        kernel(p, first, end);
        for (int n = 0; n < Floats; n++)
            Assert.Equal(expected[n], p.C[n], 2e-5 + 2e-6 * Math.Abs(expected[n]));
    }

    public override void Dispose()
    {
        foreach (nint memory in _owned)
            NativeMemory.AlignedFree((void*)memory);
    }

    private delegate void Kernel(Product product);

    // C = plain * C + rescaled * (C * factor) + A B; what is right of the columns stays as it was.
    private void Check(Product p, int rowStride, int stepStride, int rows, int columns, int plain, int rescaled,
        Kernel kernel)
    {
        float[] before = new Span<float>(p.C, Floats).ToArray();
        kernel(p);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < p.CStride; j++)
            {
                float old = before[i * p.CStride + j];
                double expected = j >= columns ? old : Sum(p, rowStride, stepStride, i, j) + plain * old + rescaled
                    * old * _memory[3][j];
                Assert.Equal(expected, p.C[i * p.CStride + j], 1e-5);
            }
        Assert.True(before.AsSpan(Math.Max(0, rows * (int)p.CStride - Border)..)
            .SequenceEqual(new Span<float>(p.C, Floats)[Math.Max(0, rows * (int)p.CStride - Border)..]), Seeds.Text);
    }

    private static double Sum(in Product p, int rowStride, int stepStride, int row, int column)
    {
        double sum = 0;
        for (int k = 0; k < p.Steps; k++)
            sum += (double)p.A[row * rowStride + k * stepStride] * p.B[k * p.BStride + column];
        return sum;
    }
}
