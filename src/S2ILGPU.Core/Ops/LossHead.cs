using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary><c>logits = x W^T</c>, their losses and, for a gradient of 1 into every loss, <c>dlogits = exp(logits -
/// lse) - [v = target], dx = dlogits W, dW = dlogits^T x</c>, a chunk of rows at a time.</summary>
/// <param name="engine">The engine.</param>
/// <param name="x">[T, C]. Read.</param>
/// <param name="weight">W [V, C]. Read.</param>
/// <param name="targets">Int32 [T], -1 where nothing is asked. Read.</param>
/// <param name="losses">[T]. Written.</param>
internal sealed class LossHead(IEngine engine, Tensor x, Tensor weight, Tensor targets, Tensor losses)
{
    private const int LeastRows = 256;

    /// <summary>dx [T, C], overwritten; null when not wanted.</summary>
    public Tensor? InputGradient { get; init; }

    /// <summary>dW [V, C], overwritten; null when not wanted.</summary>
    public Tensor? WeightGradient { get; init; }

    /// <summary>Columns whose logits are -inf; null for none.</summary>
    public ColumnRanges? Unused { get; init; }

    /// <summary>Rows of a chunk: as many as x has columns, so that the logits take as much memory as the weight, and
    /// reading and writing dW once per chunk costs little beside its product. Shapes alone decide, so the sums of dW
    /// have the same order on every machine.</summary>
    /// <param name="rows">T.</param>
    /// <param name="columns">C.</param>
    /// <param name="vocabulary">V.</param>
    public static int ChunkRows(int rows, int columns, int vocabulary) =>
        Math.Clamp(Math.Min(Math.Max(columns, LeastRows), Array.MaxLength / vocabulary), 1, Math.Max(1, rows));

    /// <summary>Computes everything.</summary>
    public void Run()
    {
        int rows = x.Shape[0], chunk = ChunkRows(rows, x.Shape[1], weight.Shape[0]);
        using Tensor logits = engine.Allocate(new Shape(chunk, weight.Shape[0]), engine.FloatType),
            logSumExp = engine.Allocate(new Shape(chunk), engine.FloatType),
            ones = engine.Allocate(new Shape(chunk), engine.FloatType);
        engine.Fill(ones, 1);
        for (int start = 0; start < rows; start += chunk)
        {
            int count = Math.Min(chunk, rows - start);
            using Tensor ofLogits = logits.Slice(0, 0, count), ofLogSumExp = logSumExp.Slice(0, 0, count),
                ofOnes = ones.Slice(0, 0, count);
            Run(start, ofLogits, ofLogSumExp, ofOnes);
        }
        if (rows == 0 && WeightGradient is not null)
            engine.Fill(WeightGradient, 0);
    }

    private void Run(int start, Tensor logits, Tensor logSumExp, Tensor ones)
    {
        int count = logits.Shape[0];
        using Tensor ofX = x.Slice(0, start, count), ofTargets = targets.Slice(0, start, count),
            ofLosses = losses.Slice(0, start, count);
        engine.MatMul(new MatMulArguments(ofX, weight, logits, TransposeB: true));
        Unused?.Fill(engine, logits, float.NegativeInfinity);
        engine.SoftmaxCrossEntropy(logits, ofTargets, ofLosses, logSumExp);
        if (InputGradient is null && WeightGradient is null)
            return;
        engine.SoftmaxCrossEntropyBackward(logits, ofTargets, logSumExp, ones, GradientTarget.Into(logits));
        using var gradient = OfActivations(logits);
        if (InputGradient is not null)
        {
            using var ofGradient = InputGradient.Slice(0, start, count);
            engine.MatMul(new MatMulArguments(gradient, weight, ofGradient));
        }
        if (WeightGradient is not null)
            engine.MatMul(new MatMulArguments(gradient, ofX, WeightGradient, TransposeA: true, Accumulate: start > 0));
    }

    // A gradient in the type of activations: tensor cores multiply matrices of one type.
    private Tensor OfActivations(Tensor gradient)
    {
        if (gradient.ElementType == x.ElementType)
            return gradient.Share();
        var rounded = engine.Allocate(gradient.Shape, x.ElementType);
        engine.Copy(gradient, rounded);
        return rounded;
    }
}
