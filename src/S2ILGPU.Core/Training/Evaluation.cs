using System.Runtime.InteropServices;
using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Training;

/// <summary>Measures a model on text.</summary>
public static class Evaluation
{
    /// <summary>Mean cross-entropy of a dataset in nats per token.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">The text; at least two tokens.</param>
    /// <param name="contextTokens">N, tokens of a window.</param>
    /// <param name="maxWindows">The most windows to read, spread evenly; every token but the first is a target once
    /// when all are read.</param>
    /// <param name="cancellation">Ends the measurement between two windows.</param>
    /// <returns>The mean over the targets of the windows read; NaN when the loss of one of them is NaN.</returns>
    /// <exception cref="ArgumentException">The dataset has no window, or its tokens are not in the
    /// vocabulary.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public static double MeanLoss(TransformerModel model, TokenDataset data, int contextTokens,
        int maxWindows = int.MaxValue, CancellationToken cancellation = default) =>
        MeanLoss(model, data, contextTokens, maxWindows, null, cancellation);

    /// <summary>The same with the windows shared by ranks, to the same bits.</summary>
    internal static double MeanLoss(TransformerModel model, TokenDataset data, int contextTokens, int maxWindows,
        ICollective? ranks, CancellationToken cancellation = default)
    {
        int windows = data.WindowCount(contextTokens), read = Math.Min(windows, maxWindows);
        if (read == 0)
            throw new ArgumentException($"{data.TokenCount} tokens of text are not enough to measure a loss");
        using var tape = new Tape(model.Engine, recording: false, activationType: model.ActivationType);
        double[] sums = new double[read];
        long count = 0;
        for (int w = 0; w < read; w++)
        {
            cancellation.ThrowIfCancellationRequested();
            var window = data.Window((int)((long)w * windows / read), contextTokens);
            count += window.Length - 1;
            if (w % (ranks?.Size ?? 1) == (ranks?.Rank ?? 0))
                sums[w] = Sum(model, tape, window);
        }
        if (ranks is not null)
            Share(model.Engine, ranks, sums);
        return sums.Sum() / count;
    }

    private static double Sum(TransformerModel model, Tape tape, ReadOnlySpan<int> window)
    {
        float[] losses = new float[window.Length - 1];
        model.Engine.Download(model.Loss(tape, window[..^1], window[1..], batch: 1).Value, losses);
        tape.Reset();
        double sum = 0;
        foreach (float loss in losses)
            sum += loss;
        return sum;
    }

    // Each window was read by one rank; the others add zeros to the bits of its sum.
    private static void Share(IEngine engine, ICollective ranks, double[] sums)
    {
        var bits = MemoryMarshal.Cast<double, int>(sums.AsSpan());
        using var all = engine.FromArray(bits);
        ranks.AllReduce(all).Wait();
        engine.Download(all, bits);
    }
}
