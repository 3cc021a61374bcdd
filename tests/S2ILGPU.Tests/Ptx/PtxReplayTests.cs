using ILGPU;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Kernels.Row;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the elementwise, row, matmul and optimizer kernels does what their C# does, without a race, an
/// access out of bounds or an uninitialised read.</summary>
public sealed class PtxReplayTests : IDisposable
{
    // Zeros, what does not exist in 16 bits, ties and denormals of half precision.
    private static readonly float[] s_special = [0, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN,
        1e-40f, 65519.996f, 65520, 1e30f, 5.9604645e-8f, -2.9802322e-8f, 1.00048828125f];

    private readonly Random _random = Seeds.NewRandom();
    private readonly PtxReplay _replay = new();

    public void Dispose() => _replay.Dispose();

    [Fact]
    public void Elementwise()
    {
        const int count = 333;
        Elements(new AddOperation { A = Normal(count), B = Normal(count), Sum = Output(count) });
        Elements(new AddScaledOperation { X = Normal(count), Factor = -1.5f, Accumulator = Normal(count) });
        Elements(new SumOfRowsOperation { Terms = Normal(5 * count), TermRows = 5, Sum = Normal(count),
            Accumulate = 1 });
        Elements(new GeluOperation { X = Normal(count), Y = Output(count) });
        Elements(new GeluBackwardOperation { X = Normal(count), OutputGradient = Normal(count),
            Gradient = Normal(count), Accumulate = 1 });
        Rows(new SwiGluOperation { Gate = Matrix(5, 40), Up = Matrix(5, 40), Y = Unwritten(5, 40), Rows = 5,
            Columns = 37 });
        Rows(new SwiGluBackwardOperation
        {
            Gate = Matrix(5, 40),
            Up = Matrix(5, 40),
            OutputGradient = Matrix(5, 40),
            GateGradient = Target(5, 40, true),
            UpGradient = Target(5, 40, false),
            Rows = 5,
            Columns = 37,
        });
        Elements(new AdamWOperation
        {
            Parameter = Normal(count),
            Gradient = Normal(count),
            FirstMoment = Normal(count),
            SecondMoment = _replay.View([.. Enumerable.Range(0, count).Select(n => n * 0.01f)]),
            GradientScale = 0.5f,
            Beta1 = 0.9f,
            Beta2 = 0.95f,
            NewFirst = 0.1f,
            NewSecond = 0.05f,
            Step = 0.02f,
            SecondCorrection = 1.5f,
            Epsilon = 1e-8f,
            Keep = 0.99f,
        });
    }

    [Theory]
    [InlineData(32)]
    [InlineData(128)]
    public void Rows_of_groups(int threads)
    {
        foreach (int columns in (int[])[1, 33, 4 * threads + 7])
        {
            _replay.Run(RmsNormKernel.Run, new Index3D(3, 1, 1), threads,
                new RmsNormArguments { X = Matrix(3, columns), Y = Unwritten(3, columns), Weight = Normal(columns),
                InverseRms = Output(3), Columns = columns, Epsilon = 1e-5f });
            _replay.Run(RmsNormBackwardKernel.Run, new Index3D(3, 1, 1), threads, new RmsNormBackwardArguments
            {
                X = Matrix(3, columns),
                OutputGradient = Matrix(3, columns),
                Weight = Normal(columns),
                InverseRms = Normal(3),
                Gradient = Target(3, columns, true),
                Columns = columns,
            });
            _replay.Run(SoftmaxCrossEntropyKernel.Run, new Index3D(3, 1, 1), threads, new SoftmaxCrossEntropyArguments
            {
                Logits = Matrix(3, columns),
                Targets = _replay.View(0, -1, columns - 1),
                Losses = Output(3),
                LogSumExp = Output(3),
                Columns = columns,
            });
        }
    }

    [Fact]
    public void Rows_of_elements()
    {
        Rows(new WeightGradientOperation { X = Matrix(20, 9), OutputGradient = Matrix(20, 9), InverseRms = Normal(20),
            Partials = Output(27), RowCount = 20, PartRows = 8, Rows = 3, Columns = 9 });
        Rows(new SoftmaxCrossEntropyBackwardOperation
        {
            Logits = Matrix(4, 17),
            Targets = _replay.View(0, -1, 16, 3),
            LogSumExp = Normal(4),
            LossGradients = Normal(4),
            Gradient = Target(4, 17, false),
            Rows = 4,
            Columns = 17,
        });
        Rows(new RotaryOperation
        {
            X = Normal(2 * 3 * 4 * 6),
            Y = Normal(2 * 3 * 4 * 6),
            XRows = new RowStrides { Batch = 72, Row = 24, Head = 6 },
            YRows = new RowStrides { Batch = 72, Row = 6, Head = 18 },
            Cosine = Matrix(5, 3),
            Sine = Matrix(5, 3),
            Positions = _replay.View(0, 1, 2, 4, 5, -1),
            Tokens = 3,
            HalfDim = 3,
            MaxPositions = 5,
            Direction = -1,
            Accumulate = 1,
            Rows = 6,
            Columns = 12,
        });
        Rows(new EmbeddingOperation<StoredSingle> { Table = Stored<StoredSingle>(7, 10), TableRows = 7,
            Ids = _replay.View(6, 0, 7, -1), Y = Unwritten(4, 10), Rows = 4, Columns = 9 });
        Rows(new EmbeddingOperation<StoredBFloat16> { Table = Stored<StoredBFloat16>(7, 10), TableRows = 7,
            Ids = _replay.View(6, 0, 7, -1), Y = Unwritten(4, 10), Rows = 4, Columns = 9 });
        Elements(new TokenChainsOperation { Ids = _replay.View(3, 1, 3, 9, 1, 3), Next = _replay.View(new int[6]),
            IsFirst = _replay.View(new int[6]), TableRows = 9 });
        Rows(new EmbeddingBackwardOperation
        {
            OutputGradient = Matrix(6, 10),
            TableGradient = Matrix(9, 10),
            Ids = _replay.View(3, 1, 3, 9, 1, 3),
            Next = _replay.View(2, 4, 5, -1, -1, -1),
            IsFirst = _replay.View(1, 1, 0, 0, 0, 0), Rows = 6, Columns = 10,
        });
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Products(bool transposeA, bool transposeB)
    {
        foreach (var (m, n, k) in ((int, int, int)[])[(1, 1, 1), (70, 65, 33), (64, 128, 16), (3, 9, 50)])
        {
            Product<StoredSingle>(m, n, k, transposeA, transposeB);
            if (transposeB)
                Product<StoredBFloat16>(m, n, k, transposeA, transposeB);
        }
    }

    [Fact]
    public void Products_of_few_rows()
    {
        foreach (int steps in (int[])[1, 31, 32, 500])
        {
            _replay.Run(DotProducts.Run, new Index3D(15, 1, 1), 64, Factors<StoredSingle>(3, 5, steps, false, true));
            _replay.Run(DotProducts.Run, new Index3D(15, 1, 1), 64, Factors<StoredBFloat16>(3, 5, steps, false, true));
        }
    }

    [Fact]
    public void Sum_of_squares()
    {
        var x = Normal(1000);
        _replay.Run(SumOfSquaresKernel.Partials, new Index3D(3, 1, 1), 64,
            new SumOfSquaresArguments { X = x, Partials = _replay.View(new CompensatedSum[3]) });
        var partials = Enumerable.Range(0, 37)
            .Select(n => new CompensatedSum { Sum = n * 1e6f, Lost = n * 1e-2f }).ToArray();
        _replay.Run(SumOfSquaresKernel.Total, new Index3D(1, 1, 1), SumOfSquaresKernel.TotalThreads,
            new TotalArguments { Partials = _replay.View(partials), Result = Normal(1), Accumulate = 1 });
    }

    [Fact]
    public void Copies()
    {
        CopiesFrom<StoredSingle>();
        CopiesFrom<StoredBFloat16>();
        CopiesFrom<StoredHalf>();
        _replay.Run(CopyKernel.FillBits, new Index3D(2, 1, 1), 32, Copied<StoredSingle, StoredSingle>(0.7f));
    }

    [Fact]
    public void Counts()
    {
        var values = _replay.View([.. s_special.Select(BitConverter.SingleToInt32Bits), .. Enumerable.Range(0, 200)]);
        _replay.Run(NonFiniteKernel.NonFinite, new Index3D(2, 1, 1), 32,
            new CountArguments { Values = values, Counts = _replay.View(Enumerable.Repeat(-1L, 64).ToArray()),
            First = 1, Count = 205 });
    }

    private void CopiesFrom<TFrom>() where TFrom : struct, IStoredElement
    {
        CopyAndPages<TFrom, StoredSingle>();
        CopyAndPages<TFrom, StoredBFloat16>();
        CopyAndPages<TFrom, StoredHalf>();
        foreach (float value in s_special)
            _replay.Run(CopyKernel.Fill<TFrom>, new Index3D(2, 1, 1), 32, Copied<TFrom, TFrom>(value));
    }

    // Two sequences with 3 and 5 new rows of 2 heads, in pages of 4 tokens; one block has no page.
    private void CopyAndPages<TFrom, TTo>() where TFrom : struct, IStoredElement where TTo : struct, IStoredElement
    {
        _replay.Run(CopyKernel.Copy<TFrom, TTo>, new Index3D(2, 1, 1), 32, Copied<TFrom, TTo>(0));
        _replay.Run(PagesKernel.Write<TFrom, TTo>, new Index3D(3, 2, 1), 32, new PageArguments
        {
            Sequences = _replay.View(new NewRows { Batch = 0, FirstRow = 2, Count = 3, FirstPosition = 3 },
                new NewRows { Batch = 1, FirstRow = 0, Count = 5, FirstPosition = 0 }),
            Table = _replay.View(0, 6, 1, 7, 5, -1, 3, 2),
            Source = _replay.Words<TFrom>(_random, 1 + 2 * 6 * 2 * 35),
            Destination = _replay.Words<TTo>(_random, 3 + 8 * 4 * 36),
            SourceRows = new RowStrides { Offset = 1, Batch = 6 * 2 * 35, Row = 2 * 35, Head = 35 },
            DestinationOffset = 3,
            PageStride = 4 * 36,
            TokenStride = 36,
            Heads = 2, HeadDim = 35, BlockTokens = 4, MaxBlocks = 2,
        });
    }

    // [2, 3, 4, 5], read with gaps, written with the two middle dimensions exchanged. The source begins with numbers
    // that are hard to convert.
    private CopyArguments Copied<TFrom, TTo>(float value) where TFrom : struct, IStoredElement
        where TTo : struct, IStoredElement => new()
    {
        Source = _replay.Words<TFrom>(_random, 3 + 120 + 24, first: s_special),
        Destination = _replay.Words<TTo>(_random, 1 + 120),
        From = new ElementStrides { Offset = 0, Stride0 = 73, Stride1 = 24, Stride2 = 6, Stride3 = 1 },
        To = new ElementStrides { Offset = 1, Stride0 = 60, Stride1 = 5, Stride2 = 15, Stride3 = 1 },
        Extent1 = 3, Extent2 = 4, Extent3 = 5, Count = 120, Value = value,
    };

    private void Product<TStored>(int m, int n, int k, bool transposeA, bool transposeB)
        where TStored : struct, IStoredElement =>
        _replay.Run(ProductTile.Run, new Index3D((n + 63) / 64, (m + 63) / 64, 1), ProductTile.Threads,
            Factors<TStored>(m, n, k, transposeA, transposeB));

    // Rows are 3 elements longer than they need to be. B is scaled by 1 / sqrt(K), so that the products are N(0, 1).
    private ProductArguments<TStored> Factors<TStored>(int m, int n, int k, bool transposeA, bool transposeB)
        where TStored : struct, IStoredElement
    {
        int strideA = 3 + (transposeA ? m : k), strideB = 3 + (transposeB ? k : n);
        return new ProductArguments<TStored>
        {
            A = new MatrixOperand<StoredSingle>
            {
                Words = _replay.Words<StoredSingle>(_random, strideA * (transposeA ? k : m)),
                Lanes = m,
                Steps = k,
                Lane = transposeA ? 1 : strideA,
                Step = transposeA ? strideA : 1,
            },
            B = new MatrixOperand<TStored>
            {
                Words = _replay.Words<TStored>(_random, strideB * (transposeB ? n : k), 1 / Math.Sqrt(k)),
                Lanes = n,
                Steps = k,
                Lane = transposeB ? strideB : 1,
                Step = transposeB ? 1 : strideB,
            },
            C = Target(m, n, true),
        };
    }

    private void Elements<TOperation>(TOperation operation) where TOperation : struct, IElementwiseOperation =>
        _replay.Run(ElementwiseKernel.Elements, new Index3D(2, 1, 1), 64, operation);

    private void Rows<TOperation>(TOperation operation) where TOperation : struct, IRowOperation =>
        _replay.Run(ElementwiseKernel.Rows, new Index3D(2, 2, 1), 32, operation);

    private ArrayView<float> Normal(int count) => _replay.Normal(_random, count);

    private ArrayView<float> Output(int count) => _replay.Output(count);

    private RowView Matrix(int rows, int columns) => new() { Data = Normal(rows * columns), Stride = columns };

    private RowView Unwritten(int rows, int columns) => new() { Data = Output(rows * columns), Stride = columns };

    private RowTarget Target(int rows, int columns, bool accumulate) =>
        new()
        {
            Rows = accumulate ? Matrix(rows, columns) : Unwritten(rows, columns),
            IsNeeded = 1,
            Accumulate = accumulate ? 1 : 0,
        };

    private StoredRows Stored<TStored>(int rows, int columns) where TStored : struct, IStoredElement =>
        new() { Words = _replay.Words<TStored>(_random, rows * columns), Offset = 1, Stride = columns };
}
