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

    // Rows that begin at whole quads, and rows of odd length.
    [Theory]
    [InlineData(336)]
    [InlineData(333)]
    public void Elementwise(int count)
    {
        TestScale.SkipUnlessDrawn(6);
        ElementsOf<StoredSingle>(count);
        ElementsOf<StoredBFloat16>(count);
        ElementsOf<StoredHalf>(count);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(128)]
    public void Rows_of_groups(int threads)
    {
        TestScale.SkipUnlessDrawn(6);
        foreach (int columns in (int[])[1, 33, 4 * threads + 8, 8 * threads + 7])
        {
            Norms(RmsNormKernel.Run<StoredSingle>, RmsNormBackwardKernel.Run<StoredSingle>, Matrix<StoredSingle>,
                Unwritten<StoredSingle>, columns, threads);
            Norms(RmsNormKernel.Run<StoredBFloat16>, RmsNormBackwardKernel.Run<StoredBFloat16>, Matrix<StoredBFloat16>,
                Unwritten<StoredBFloat16>, columns, threads);
            _replay.Run(SoftmaxCrossEntropyKernel.Run, new Index3D(3, 1, 1), threads, new SoftmaxCrossEntropyArguments
            {
                Logits = Matrix<StoredSingle>(3, columns),
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
        Rows<StoredSingle, SoftmaxCrossEntropyBackwardOperation>(new SoftmaxCrossEntropyBackwardOperation
        {
            Logits = Matrix<StoredSingle>(4, 17),
            Targets = _replay.View(0, -1, 16, 3),
            LogSumExp = Normal(4),
            LossGradients = Normal(4),
            Gradient = Target<StoredSingle>(4, 17, false),
            Rows = 4,
        });
        RowsOfElements<StoredSingle>();
        RowsOfElements<StoredBFloat16>();
        RowsOfElements<StoredHalf>();
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    public void Sums_of_rows(int threads)
    {
        SumsOfRows(threads, SumOfRowsKernel.Run<StoredSingle>, Matrix<StoredSingle>);
        SumsOfRows(threads, SumOfRowsKernel.Run<StoredBFloat16>, Matrix<StoredBFloat16>);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    public void Centred_rows(int threads)
    {
        foreach (int columns in (int[])[2, 33, 300])
        {
            _replay.Run(CenterKernel.Run<StoredSingle>, new Index3D(3, 1, 1), threads, new CenterArguments
                { X = Matrix<StoredSingle>(3, columns), Y = Target<StoredSingle>(3, columns, true),
                Columns = columns });
            _replay.Run(CenterKernel.Run<StoredBFloat16>, new Index3D(3, 1, 1), threads, new CenterArguments
                { X = Matrix<StoredBFloat16>(3, columns), Y = Target<StoredBFloat16>(3, columns, false),
                Columns = columns });
        }
    }

    [Fact]
    public void Order_of_tokens()
    {
        var ids = _replay.View(3, 1, 3, -9, 1, 3, 7, 7, 3, 2, 1);
        _replay.Run(TokenOrderKernel.Begin, new Index3D(2, 1, 1), 4, new TokenOrderArguments { Ids = ids,
            Sorted = _replay.View(new int[11]), Merged = _replay.View(new int[11]), RunTokens = 1 });
        _replay.Run(TokenOrderKernel.Merge, new Index3D(2, 1, 1), 4, new TokenOrderArguments { Ids = ids,
            Sorted = _replay.View(3, 1, 0, 2, 4, 5, 6, 7, 10, 9, 8), Merged = _replay.View(new int[11]),
            RunTokens = 4 });
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Products(bool transposeA, bool transposeB)
    {
        TestScale.SkipUnlessDrawn(6);
        foreach (var (m, n, k) in ((int, int, int)[])[(1, 1, 1), (70, 65, 33), (64, 128, 16), (3, 9, 50)])
        {
            Product<StoredSingle, StoredSingle, StoredSingle>(m, n, k, transposeA, transposeB);
            Product<StoredBFloat16, StoredBFloat16, StoredBFloat16>(m, n, k, transposeA, transposeB);
            Product<StoredHalf, StoredBFloat16, StoredSingle>(m, n, k, transposeA, transposeB);
        }
    }

    [Fact]
    public void Products_of_few_rows()
    {
        foreach (int steps in (int[])[1, 31, 32, 501])
        {
            DotProduct<StoredSingle, StoredSingle, StoredSingle>(steps);
            DotProduct<StoredSingle, StoredBFloat16, StoredSingle>(steps);
            DotProduct<StoredBFloat16, StoredBFloat16, StoredBFloat16>(steps);
        }
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

    private void ElementsOf<TStored>(int count) where TStored : struct, IStoredElement
    {
        RowView Values() => Matrix<TStored>(1, count);
        Rows<TStored, AddOperation>(new AddOperation { A = Values(), B = Values(),
            Sum = Unwritten<TStored>(1, count) });
        Rows<TStored, AddScaledOperation>(new AddScaledOperation { X = Values(), Factor = -1.5f,
            Accumulator = Values() });
        Rows<TStored, GeluOperation>(new GeluOperation { X = Values(), Y = Unwritten<TStored>(1, count) });
        Rows<TStored, GeluBackwardOperation>(new GeluBackwardOperation { X = Values(), OutputGradient = Values(),
            Gradient = Target<TStored>(1, count, true) });
        int columns = count / 9;
        Rows<TStored, SwiGluOperation>(new SwiGluOperation { Gate = Matrix<TStored>(5, columns),
            Up = Matrix<TStored>(5, columns), Y = Unwritten<TStored>(5, columns), Rows = 5 });
        Rows<TStored, SwiGluBackwardOperation>(new SwiGluBackwardOperation
        {
            Gate = Matrix<TStored>(5, columns),
            Up = Matrix<TStored>(5, columns),
            OutputGradient = Matrix<TStored>(5, columns),
            GateGradient = Target<TStored>(5, columns, true),
            UpGradient = Target<TStored>(5, columns, false),
            Rows = 5,
        });
        Rows<TStored, GegeluOperation>(new GegeluOperation { Gate = Matrix<TStored>(5, columns), Limit = 0.5f,
            Up = Matrix<TStored>(5, columns), Y = Unwritten<TStored>(5, columns), Rows = 5 });
        Rows<TStored, GegeluBackwardOperation>(new GegeluBackwardOperation
        {
            Gate = Matrix<TStored>(5, columns),
            Up = Matrix<TStored>(5, columns),
            Limit = 0.5f,
            OutputGradient = Matrix<TStored>(5, columns),
            GateGradient = Target<TStored>(5, columns, true),
            UpGradient = Target<TStored>(5, columns, false),
            Rows = 5,
        });
    }

    private void Norms(Action<RmsNormArguments> forward, Action<RmsNormBackwardArguments> backward,
        Func<int, int, RowView> matrix, Func<int, int, RowView> unwritten, int columns, int threads)
    {
        _replay.Run(forward, new Index3D(3, 1, 1), threads, new RmsNormArguments { X = matrix(3, columns),
            Y = unwritten(3, columns), Weight = Matrix<StoredSingle>(1, columns), InverseRms = Output(3),
            Columns = columns, Epsilon = 1e-5f });
        // A part of two times four rows, and one of a single row; both gradients, and of short rows also one alone.
        foreach (var (ofX, ofWeight) in ((int, int)[])[(1, 1), .. columns > 33 ? [] : new[] { (1, 0), (0, 1) }])
            _replay.Run(backward, new Index3D(2, 1, 1), threads, new RmsNormBackwardArguments
            {
                X = matrix(9, columns),
                OutputGradient = matrix(9, columns),
                Weight = Matrix<StoredSingle>(1, columns),
                InverseRms = Normal(9),
                Gradient = ofX == 0 ? default
                    : new RowTarget { Rows = matrix(9, columns), IsNeeded = 1, Accumulate = ofWeight },
                Partials = ofWeight == 0 ? default : Unwritten<StoredSingle>(2, columns),
                Rows = 9,
                Columns = columns,
                PartRows = 8,
                ArePartialsNeeded = ofWeight,
            });
    }

    private void SumsOfRows(int threads, Action<SumOfRowsArguments> kernel, Func<int, int, RowView> matrix)
    {
        foreach (var (rows, columns) in ((int, int)[])[(1, 1), (3, 16), (70, 33)])
            foreach (bool accumulate in new[] { false, true })
                _replay.Run(kernel, new Index3D((columns + SumOfRowsKernel.GroupColumns - 1)
                    / SumOfRowsKernel.GroupColumns, 1, 1), threads, new SumOfRowsArguments
                    {
                        Terms = matrix(rows, columns),
                        Sum = Target<StoredSingle>(1, columns, accumulate),
                        Rows = rows,
                    });
    }

    private void RowsOfElements<TStored>() where TStored : struct, IStoredElement
    {
        Rows<TStored, AddBiasOperation>(new AddBiasOperation
        {
            Bias = Matrix<StoredSingle>(1, 10), Y = Matrix<TStored>(4, 10), Rows = 4,
        });
        foreach (int half in (int[])[3, 4])
            Rows<TStored, RotaryOperation>(new RotaryOperation
            {
                X = Heads<TStored>(new RowStrides { Batch = 24 * half, Row = 8 * half, Head = 2 * half }, half),
                Y = Heads<TStored>(new RowStrides { Batch = 24 * half, Row = 2 * half, Head = 6 * half }, half),
                Cosine = Matrix<StoredSingle>(5, half),
                Sine = Matrix<StoredSingle>(5, half),
                Positions = _replay.View(0, 1, 2, 4, 5, -1),
                Tokens = 3,
                Heads = 4,
                HalfDim = half,
                MaxPositions = 5,
                Direction = -1,
                Accumulate = 1,
                Rows = 6,
            });
        Rows<TStored, EmbeddingOperation<StoredSingle>>(new EmbeddingOperation<StoredSingle>
        {
            Table = Matrix<StoredSingle>(7, 9), TableRows = 7, Ids = _replay.View(6, 0, 7, -1),
            Y = Unwritten<TStored>(4, 9), Rows = 4,
        });
        Rows<TStored, EmbeddingOperation<StoredBFloat16>>(new EmbeddingOperation<StoredBFloat16>
        {
            Table = Matrix<StoredBFloat16>(7, 12), TableRows = 7, Ids = _replay.View(6, 0, 7, -1),
            Y = Unwritten<TStored>(4, 12), Rows = 4,
        });
        Rows<TStored, EmbeddingBackwardOperation>(new EmbeddingBackwardOperation
        {
            OutputGradient = Matrix<TStored>(6, 10),
            TableGradient = Matrix<StoredSingle>(9, 10),
            Ids = _replay.View(3, 1, 3, 9, 1, 3),
            Sorted = _replay.View(1, 4, 0, 2, 5, 3),
            TableRows = 9,
        });
    }

    private HeadRowsView Heads<TStored>(RowStrides rows, int half) where TStored : struct, IStoredElement => new()
    {
        Words = _replay.Computed<TStored>(_replay.Words<TStored>(_random, 48 * half)),
        Rows = rows,
        IsAligned = half % 4 == 0 ? 1 : 0,
    };

    private void Product<TA, TB, TC>(int m, int n, int k, bool transposeA, bool transposeB)
        where TA : struct, IStoredElement where TB : struct, IStoredElement where TC : struct, IStoredElement =>
        _replay.Run(ProductTile.Run<TA, TB, TC>, new Index3D((n + 63) / 64, (m + 63) / 64, 1), ProductTile.Threads,
            Factors<TA, TB, TC>(m, n, k, transposeA, transposeB));

    private void DotProduct<TA, TB, TC>(int steps)
        where TA : struct, IStoredElement where TB : struct, IStoredElement where TC : struct, IStoredElement =>
        _replay.Run(DotProducts.Run<TA, TB, TC>, new Index3D(15, 1, 1), 64,
            Factors<TA, TB, TC>(3, 5, steps, false, true));

    // Rows are 3 elements longer than they need to be. B is scaled by 1 / sqrt(K), so that the products are N(0, 1).
    private ProductArguments Factors<TA, TB, TC>(int m, int n, int k, bool transposeA, bool transposeB)
        where TA : struct, IStoredElement where TB : struct, IStoredElement where TC : struct, IStoredElement => new()
    {
        A = Operand<TA>(m, k, !transposeA, 1),
        B = Operand<TB>(n, k, transposeB, 1 / Math.Sqrt(k)),
        C = Result<TC>(m, n),
    };

    // With a bias and a residual, or without either.
    private ProductResult Result<TC>(int m, int n) where TC : struct, IStoredElement
    {
        bool hasBias = _random.Next(2) == 0, hasAddend = _random.Next(2) == 0;
        return new ProductResult
        {
            Rows = Unwritten<TC>(m, n),
            Addend = hasAddend ? Matrix<TC>(m, n) : default,
            Bias = hasBias ? Matrix<StoredSingle>(1, n) : default,
            HasAddend = hasAddend ? 1 : 0,
            HasBias = hasBias ? 1 : 0,
        };
    }

    private MatrixOperand Operand<TStored>(int lanes, int steps, bool areStepsAdjacent, double scale)
        where TStored : struct, IStoredElement
    {
        int stride = 3 + (areStepsAdjacent ? steps : lanes);
        return new MatrixOperand
        {
            Words = _replay.Words<TStored>(_random, stride * (areStepsAdjacent ? lanes : steps), scale),
            Lanes = lanes,
            Steps = steps,
            Lane = areStepsAdjacent ? stride : 1,
            Step = areStepsAdjacent ? 1 : stride,
            IsAligned = stride % 4 == 0 ? 1 : 0,
        };
    }

    private void Rows<TStored, TOperation>(TOperation operation) where TStored : struct, IStoredElement
        where TOperation : struct, IRowOperation =>
        _replay.Run(ElementwiseKernel.Rows<TOperation, TStored>, new Index3D(2, 2, 1), 32, operation);

    private ArrayView<float> Normal(int count) => _replay.Normal(_random, count);

    private ArrayView<float> Output(int count) => _replay.Output(count);

    private RowView Matrix<TStored>(int rows, int columns) where TStored : struct, IStoredElement =>
        View<TStored>(_replay.Words<TStored>(_random, rows * columns), columns);

    private RowView Unwritten<TStored>(int rows, int columns) where TStored : struct, IStoredElement
    {
        int count = rows * columns;
        return View<TStored>(_replay.View(AttentionData.Untouched<int>(
            typeof(TStored) == typeof(StoredSingle) ? count : (count + 1) / 2)), columns);
    }

    private RowView View<TStored>(ArrayView<int> words, int columns) where TStored : struct, IStoredElement =>
        new()
        {
            Words = _replay.Computed<TStored>(words),
            Stride = columns,
            Columns = columns,
            IsAligned = columns % 4 == 0 ? 1 : 0,
        };

    private RowTarget Target<TStored>(int rows, int columns, bool accumulate) where TStored : struct, IStoredElement =>
        new()
        {
            Rows = accumulate ? Matrix<TStored>(rows, columns) : Unwritten<TStored>(rows, columns),
            IsNeeded = 1,
            Accumulate = accumulate ? 1 : 0,
        };
}
