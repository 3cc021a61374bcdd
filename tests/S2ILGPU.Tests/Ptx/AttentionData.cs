using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Random operands of an attention problem, tensors [B, N, H, D], and what float64 makes of them. Rows that
/// belong to no sequence hold NaN.</summary>
internal sealed class AttentionData
{
    private readonly Dictionary<string, double[]> _exact;

    public AttentionData(AttentionCase problem, ElementType type, Random random)
    {
        (Problem, Type, _exact) = (problem, type, []);
        Sequences = problem.Sequences();
        int batch = problem.BatchExtent;
        QueryShape = new Shape(batch, problem.QueryRows, problem.QueryHeads, problem.HeadDim);
        KeyShape = new Shape(batch, problem.KeyRows, problem.KeyValueHeads, problem.HeadDim);
        LineShape = new Shape(batch, problem.QueryHeads, problem.QueryRows);
        Query = Normal(QueryShape, random, problem.Magnitude, areQueries: true);
        Key = Normal(KeyShape, random, problem.Magnitude, areQueries: false);
        Value = Normal(KeyShape, random, 1, areQueries: false);
        OutputGradient = Normal(QueryShape, random, 1, areQueries: true);
        if (problem.WithLogSumExp)
            LogSumExpGradient = [.. random.Normal(LineShape.Count).Select(x => (float)x)];
    }

    private AttentionData(AttentionData other)
    {
        (Problem, Type, Gap, Sequences, _exact) = (other.Problem, other.Type, other.Gap, other.Sequences, other._exact);
        (QueryShape, KeyShape, LineShape, LogSumExpGradient) =
            (other.QueryShape, other.KeyShape, other.LineShape, other.LogSumExpGradient);
        (Query, Key, Value, OutputGradient) = (other.Query, other.Key, other.Value, other.OutputGradient);
    }

    public AttentionCase Problem { get; }

    /// <summary>Type of the operands; a portable kernel may take queries in single precision, whose values are of this
    /// type as well. Int8 is that of keys and values alone.</summary>
    public ElementType Type { get; }

    /// <summary>Whether tiles that need no mask go through the loop with masks too.</summary>
    public bool MaskEverything { get; private init; }

    /// <summary>The same operands, with all tiles going through the loop with masks.</summary>
    public AttentionData Masked => new(this) { MaskEverything = true };

    /// <summary>Elements between rows in memory; see <see cref="TensorPlace.Of"/>.</summary>
    public int Gap { get; init; }

    public SequenceBatch Sequences { get; }

    public Shape QueryShape { get; }

    public Shape KeyShape { get; }

    /// <summary>[B, H, Nq].</summary>
    public Shape LineShape { get; }

    public Operand Query { get; }

    public Operand Key { get; }

    public Operand Value { get; }

    public Operand OutputGradient { get; }

    /// <summary>dLSE; empty when there is none.</summary>
    public float[] LogSumExpGradient { get; } = [];

    /// <summary>Where tensors of the queries' shape lie.</summary>
    public TensorPlace QueryPlace => TensorPlace.Of(QueryShape, Gap);

    /// <summary>Where tensors of the keys' shape lie.</summary>
    public TensorPlace KeyPlace => TensorPlace.Of(KeyShape, Gap);

    public float Scale => Problem.Scale;

    public float ScaleLog2 => (float)(Problem.Scale * 1.44269504088896340736);

    public TileListBuilder Lists() =>
        new(Problem.Layouts() is { } layouts ? layouts : [Problem.Layout()], Sequences.Sequences);

    /// <summary>O in float64.</summary>
    public double[] Output => Exact("O");

    /// <summary>LSE in float64.</summary>
    public double[] LogSumExp => Exact("LSE");

    /// <summary>dQ, dK or dV in float64.</summary>
    public double[] Exact(string name)
    {
        if (!_exact.ContainsKey("O"))
            Forward();
        if (!_exact.ContainsKey(name))
            Backward();
        return _exact[name];
    }

    /// <summary>A row-major tensor of the queries' or the keys' shape as tiles [tile, 64, D]: rows of no sequence are
    /// zero, as the pack kernel leaves them.</summary>
    public T[] Pack<T>(T[] tensor, Shape shape, IReadOnlyList<RowTile> tiles)
    {
        int d = Problem.HeadDim;
        var rows = TensorPlace.Of(shape, 0).Rows;
        var packed = new T[Math.Max(1, tiles.Count) * TileGeometry.TileTokens * d];
        for (int t = 0; t < tiles.Count; t++)
            for (int r = 0; r < TileGeometry.TileTokens; r++)
                if (tiles[t].FirstRow + r is var row && row >= tiles[t].BeginRow && row < tiles[t].EndRow)
                    tensor.AsSpan((int)(tiles[t].Batch * rows.Batch + row * rows.Row + tiles[t].Head * rows.Head), d)
                        .CopyTo(packed.AsSpan((t * TileGeometry.TileTokens + r) * d));
        return packed;
    }

    /// <summary>Fails unless a result of the queries' shape or the keys' shape agrees with float64 in all rows of
    /// sequences, and is untouched (all bits set) elsewhere.</summary>
    public void Compare(string what, Shape shape, double[] expected, ushort[] actual, Tolerance tolerance) =>
        Compare(what, shape, expected, Operand.Decode(actual, Type), at => actual[at] == ushort.MaxValue, tolerance);

    /// <summary>The same for single precision.</summary>
    public void Compare(string what, Shape shape, double[] expected, float[] actual, Tolerance tolerance) =>
        Compare(what, shape, expected, [.. actual.Select(x => (double)x)], at =>
        BitConverter.SingleToUInt32Bits(actual[at]) == uint.MaxValue, tolerance);

    /// <summary>The same for LSE [B, H, Nq].</summary>
    public void CompareLines(string what, float[] actual, Tolerance tolerance)
    {
        var (wanted, got) = ((double[])LogSumExp.Clone(), actual.Select(x => (double)x).ToArray());
        for (int b = 0, at = 0; b < LineShape[0]; b++)
            for (int h = 0; h < LineShape[1]; h++)
                for (int row = 0; row < LineShape[2]; row++, at++)
                    if (!InSequence(b, row, areQueries: true))
                        (wanted[at], got[at]) =
                            (0, BitConverter.SingleToUInt32Bits(actual[at]) == uint.MaxValue ? 0 : double.NaN);
        MaximumError.AssertWithin(tolerance, $"{what}, {Problem}", LineShape, wanted, got);
    }

    /// <summary>A result before the kernel writes it: all bits set, which is NaN.</summary>
    public static T[] Untouched<T>(long count) where T : unmanaged
    {
        var data = new T[count];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(data.AsSpan()).Fill(0xff);
        return data;
    }

    public bool InSequence(int batch, int row, bool areQueries)
    {
        foreach (var s in Sequences.Sequences)
            if (s.Batch == batch && row >= (areQueries ? s.QueryStart : s.KeyStart)
                && row < (areQueries ? s.QueryStart + s.QueryCount : s.KeyStart + s.KeyCount))
                return true;
        return false;
    }

    private void Compare(string what, Shape shape, double[] expected, double[] actual, Func<int, bool> isUntouched,
        Tolerance tolerance)
    {
        bool areQueries = shape == QueryShape;
        var wanted = (double[])expected.Clone();
        for (int b = 0, at = 0; b < shape[0]; b++)
            for (int row = 0; row < shape[1]; row++)
                for (int n = 0; n < shape[2] * shape[3]; n++, at++)
                    if (!InSequence(b, row, areQueries))
                        (wanted[at], actual[at]) = (0, isUntouched(at) ? 0 : double.NaN);
        MaximumError.AssertWithin(tolerance, $"{what}, {Problem}", shape, wanted, actual);
    }

    private Operand Normal(Shape shape, Random random, double magnitude, bool areQueries)
    {
        double[] values = random.Normal(shape.Count, magnitude);
        for (int b = 0, at = 0; b < shape[0]; b++)
            for (int row = 0; row < shape[1]; row++)
                for (int n = 0; n < shape[2] * shape[3]; n++, at++)
                    if (!InSequence(b, row, areQueries))
                        values[at] = double.NaN;
        for (int at = 0; at < values.Length && Type == ElementType.Int8 && !areQueries; at += shape[3])
            Int8Rows.Round(values.AsSpan(at, shape[3]));
        return new Operand(values, Type);
    }

    private void Forward()
    {
        using var engine = new ReferenceEngine();
        using Tensor query = Double(engine, QueryShape, Query.Values), key = Double(engine, KeyShape, Key.Values),
            value = Double(engine, KeyShape, Value.Values);
        using Tensor output = Double(engine, QueryShape, null), lse = Double(engine, LineShape, null);
        engine.AttentionForward(new AttentionForwardArguments(query, key, value, output, lse, Problem.Layout(),
            Sequences, Scale));
        (_exact["O"], _exact["LSE"]) = (ReferenceEngine.Values(output), ReferenceEngine.Values(lse));
    }

    private void Backward()
    {
        using var engine = new ReferenceEngine();
        using Tensor query = Double(engine, QueryShape, Query.Values), key = Double(engine, KeyShape, Key.Values),
            value = Double(engine, KeyShape, Value.Values);
        using Tensor output = Double(engine, QueryShape, Output), lse = Double(engine, LineShape, LogSumExp),
            outputGradient = Double(engine, QueryShape, OutputGradient.Values);
        using var lseGradient = LogSumExpGradient.Length == 0 ? null
            : Double(engine, LineShape, [.. LogSumExpGradient.Select(x => (double)x)]);
        using Tensor dq = Double(engine, QueryShape, null), dk = Double(engine, KeyShape, null),
            dv = Double(engine, KeyShape, null);
        engine.AttentionBackward(new AttentionBackwardArguments(query, key, value, output, lse, outputGradient,
            lseGradient, dq, dk, dv, Problem.Layout(), Sequences, Scale));
        (_exact["dQ"], _exact["dK"], _exact["dV"]) =
            (ReferenceEngine.Values(dq), ReferenceEngine.Values(dk), ReferenceEngine.Values(dv));
    }

    private static Tensor Double(ReferenceEngine engine, Shape shape, double[]? values)
    {
        var tensor = engine.Allocate(shape, ElementType.Float64);
        if (values is not null)
            ReferenceEngine.SetValues(tensor, values);
        return tensor;
    }
}
