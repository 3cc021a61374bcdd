using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Merging attention over disjoint keys.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="activations">Element type of activations and their gradients; null for the engine's own.</param>
public abstract class MergeTests(Func<IEngine> create, ElementType? activations = null)
    : EngineTest(create, activations)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Random_parts(int count)
    {
        foreach (int headDim in (int[])[8, 24, 64, 80])
        {
            var shape = new Shape(2, 5, 3, headDim);
            TestTensor[] outputs = [.. Enumerable.Range(0, count).Select(p => Normal($"output of part {p}", shape))];
            TestTensor[] lses =
                [.. Enumerable.Range(0, count).Select(p =>
                    Normal($"log-sum-exp of part {p}", new Shape(2, 3, 5), 3, FloatType))];
            for (int p = 0; p < count; p++)
                DropRows(outputs[p], lses[p], p);
            var (output, logSumExp) = (Output("output", shape), Output("log-sum-exp", new Shape(2, 3, 5), FloatType));
            Check($"merge of {count} parts, D{headDim}", Forward, e => e.Engine.MergePartitions(
                [.. outputs.Select(o => e[o])], [.. lses.Select(l => e[l])], e[output], e[logSumExp]));
            Release();
        }
    }

    [Theory]
    [InlineData(300.0)]
    [InlineData(-300.0)]
    public void Parts_of_very_different_weight(double shift)
    {
        var shape = new Shape(1, 4, 2, 16);
        var (first, second) = (Normal("first output", shape), Normal("second output", shape));
        var (firstLse, secondLse) = (Normal("first log-sum-exp", new Shape(1, 2, 4), type: FloatType),
            Normal("second log-sum-exp", new Shape(1, 2, 4), type: FloatType));
        secondLse.Values = [.. secondLse.Values.Select(x => x + shift)];
        var (output, logSumExp) = (Output("output", shape), Output("log-sum-exp", new Shape(1, 2, 4), FloatType));
        Check($"merge with a shift of {shift}", Forward.Relative, e =>
            e.Engine.MergePartitions([e[first], e[second]], [e[firstLse], e[secondLse]], e[output],
            e[logSumExp]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_of_parts(bool withLogSumExp)
    {
        foreach (int headDim in (int[])[8, 24, 64, 80])
        {
            Shape shape = new(2, 19, 3, headDim), statistics = new(2, 3, 19);
            TestTensor part = Normal("output of the part", shape),
                partLse = Normal("its log-sum-exp", statistics, type: FloatType),
                output = Normal("output", shape), gradient = Normal("dO", shape);
            var lse = With("log-sum-exp", statistics,
                [.. partLse.Values.Select(x => x + Math.Abs(Random.Normal(1)[0]))], FloatType);
            var lseGradient = withLogSumExp ? Normal("dLSE", statistics, type: FloatType) : null;
            DropRows(part, partLse, 1);
            TestTensor partGradient = Output("dO of the part", shape),
                partLseGradient = Output("dLSE of the part", statistics, FloatType);
            Check($"gradient of a merge, D{headDim}", Backward, e =>
                e.Engine.MergePartitionBackward(new MergeBackwardArguments(e[part], e[partLse], e[output], e[lse],
                e[gradient], e.Optional(lseGradient), e[partGradient], e[partLseGradient])));
            Release();
        }
    }

    [Fact]
    public void A_part_that_is_NaN_makes_the_row_NaN()
    {
        Shape shape = new(1, 3, 2, 16), statistics = new(1, 2, 3);
        TestTensor[] outputs = [Normal("first output", shape), Normal("second output", shape)],
            lses = [Normal("first log-sum-exp", statistics, type: FloatType),
                Normal("second log-sum-exp", statistics, type: FloatType)];
        var (rows, values) = (lses[1].Values, outputs[1].Values);
        (rows[0], rows[4], values[17]) = (double.NaN, double.NaN, double.PositiveInfinity);
        (lses[1].Values, outputs[1].Values) = (rows, values);
        rows = lses[0].Values;
        rows[4] = double.NegativeInfinity;
        lses[0].Values = rows;
        var (output, logSumExp) = (Output("output", shape), Output("log-sum-exp", statistics, FloatType));
        Check("merge with NaN", Forward with { NaNMatches = true }, e =>
            e.Engine.MergePartitions([.. outputs.Select(o => e[o])], [.. lses.Select(l => e[l])], e[output],
            e[logSumExp]));
    }

    /// <summary>The vector of SEMANTICS section 4, its two coordinates padded with zeros to a head dimension of
    /// 8.</summary>
    [Fact]
    public void The_reference_vector_whole_and_merged()
    {
        double[][] keys = [[1, 0], [0, 1], [1, 1], [-1, 2]], values = [[1, 0], [0, 1], [2, 2], [-1, 3]];
        var (whole, wholeLse) = Attend(keys, values);
        var (first, firstLse) = Attend(keys[..2], values[..2]);
        var (second, secondLse) = Attend(keys[2..], values[2..]);
        var (merged, mergedLse) = Merge([first, second], [firstLse, secondLse]);
        foreach (var (output, lse) in ((float[], float[])[])[(whole, wholeLse), (merged, mergedLse)])
        {
            Assert.Equal(0.952579400142608, output[0], 1e-6);
            Assert.Equal(0.8636234067554782, output[1], 1e-6);
            Assert.All(output[2..], x => Assert.Equal(0, x));
            Assert.Equal(1.0260738489341228, lse[0], 1e-6);
        }
    }

    [Fact]
    public void Every_tree_of_merges_gives_the_whole()
    {
        double[][] keys = [.. Enumerable.Range(0, 8).Select(_ => Random.Normal(2))],
            values = [.. Enumerable.Range(0, 8).Select(_ => Random.Normal(2))];
        var (whole, wholeLse) = Attend(keys, values);
        var parts = Enumerable.Range(0, 8).Select(n => Attend(keys[n..(n + 1)], values[n..(n + 1)])).ToList();
        while (parts.Count > 1)
        {
            int at = Random.Next(parts.Count - 1), count = Random.Next(2, Math.Min(4, parts.Count - at) + 1);
            var group = parts.GetRange(at, count);
            parts.RemoveRange(at, count);
            parts.Insert(at, Merge([.. group.Select(part => part.Output)], [.. group.Select(part => part.LogSumExp)]));
        }
        MaximumError.AssertWithin(Tolerance.Forward(FloatType), $"{Tested.Name}, tree of merges: output",
            new Shape(whole.Length), Doubles(whole), Doubles(parts[0].Output));
        MaximumError.AssertWithin(Tolerance.Forward(FloatType), $"{Tested.Name}, tree of merges: log-sum-exp",
            new Shape(1), Doubles(wholeLse), Doubles(parts[0].LogSumExp));
    }

    // One query (0.5, -1) of one head against the given keys.
    private (float[] Output, float[] LogSumExp) Attend(double[][] keys, double[][] values)
    {
        const int headDim = 8;
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", 1, 1, 16), keys.Length, 1);
        using var query = Uploaded([[0.5, -1]], headDim);
        using var key = Uploaded(keys, headDim);
        using var value = Uploaded(values, headDim);
        using var output = Tested.Allocate(query.Shape, Tested.FloatType);
        using var lse = Tested.Allocate(new Shape(1, 1, 1), Tested.FloatType);
        Tested.AttentionForward(new AttentionForwardArguments(query, key, value, output, lse, layout,
            SequenceBatch.Uniform(1, 1, keys.Length),
            (float)(1 / Math.Sqrt(2))));
        return (Downloaded(output), Downloaded(lse));
    }

    private (float[] Output, float[] LogSumExp) Merge(float[][] outputs, float[][] logSumExps)
    {
        Tensor[] parts = [.. outputs.Select(o => Uploaded(o, new Shape(1, 1, 1, o.Length)))],
            lses = [.. logSumExps.Select(l => Uploaded(l, new Shape(1, 1, 1)))];
        using var output = Tested.Allocate(parts[0].Shape, Tested.FloatType);
        using var lse = Tested.Allocate(new Shape(1, 1, 1), Tested.FloatType);
        Tested.MergePartitions(parts, lses, output, lse);
        foreach (var tensor in parts.Concat(lses))
            tensor.Dispose();
        return (Downloaded(output), Downloaded(lse));
    }

    private Tensor Uploaded(double[][] rows, int headDim)
    {
        var values = new float[rows.Length * headDim];
        for (int n = 0; n < rows.Length; n++)
            for (int d = 0; d < rows[n].Length; d++)
                values[n * headDim + d] = (float)rows[n][d];
        return Uploaded(values, new Shape(1, rows.Length, 1, headDim));
    }

    private Tensor Uploaded(float[] values, Shape shape)
    {
        var tensor = Tested.Allocate(shape, Tested.FloatType);
        Tested.Upload(values, tensor);
        return tensor;
    }

    private float[] Downloaded(Tensor tensor)
    {
        var values = new float[tensor.Count];
        Tested.Download(tensor, values);
        return values;
    }

    private static double[] Doubles(float[] values) => [.. values];

    // Some rows of each part keep nothing, the first row keeps nothing in any part; what a part without keys has as
    // output must not matter.
    private void DropRows(TestTensor output, TestTensor logSumExp, int part)
    {
        int batch = output.Shape[0], tokens = output.Shape[1], heads = output.Shape[2], headDim = output.Shape[3];
        var (values, lses) = (output.Values, logSumExp.Values);
        for (int b = 0; b < batch; b++)
            for (int n = 0; n < tokens; n++)
                for (int h = 0; h < heads; h++)
                    if (n == 0 || (n + h + part) % 3 == 0)
                    {
                        lses[(b * heads + h) * tokens + n] = double.NegativeInfinity;
                        values.AsSpan(((b * tokens + n) * heads + h) * headDim, headDim).Fill(double.NaN);
                    }
        (output.Values, logSumExp.Values) = (values, lses);
    }
}
