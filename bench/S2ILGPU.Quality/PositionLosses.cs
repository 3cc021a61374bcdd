using S2ILGPU.Autograd;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Quality;

/// <summary>Loss by the position of a token in its context.</summary>
internal static class PositionLosses
{
    /// <summary>Measures whole windows of a text, spread evenly over it.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="data">The text.</param>
    /// <param name="tokens">N, tokens of a window.</param>
    /// <param name="windows">The most windows to read.</param>
    /// <returns>[N], the mean over windows at each position, nats per token.</returns>
    /// <exception cref="ArgumentException">The text is shorter than a window.</exception>
    public static double[] Measure(TransformerModel model, TokenDataset data, int tokens, int windows)
    {
        int whole = (data.TokenCount - 1) / tokens, read = Math.Min(whole, windows);
        if (read == 0)
            throw new ArgumentException($"{data.TokenCount} tokens of validation text are less than a window of "
                + $"{tokens}");
        using var tape = new Tape(model.Engine, recording: false, activationType: model.ActivationType);
        double[] sums = new double[tokens];
        float[] losses = new float[tokens];
        for (int w = 0; w < read; w++)
        {
            var window = data.Window((int)((long)w * whole / read), tokens);
            model.Engine.Download(model.Loss(tape, window[..^1], window[1..], batch: 1).Value, losses);
            tape.Reset();
            for (int i = 0; i < tokens; i++)
                sums[i] += losses[i];
        }
        return [.. sums.Select(sum => sum / read)];
    }

    /// <summary>The mean of each of some equal parts of a context.</summary>
    /// <param name="losses">[N].</param>
    /// <param name="parts">Number of parts; divides N.</param>
    public static double[] ByPart(IReadOnlyList<double> losses, int parts)
    {
        int length = losses.Count / parts;
        return losses.Count % parts == 0
            ? [.. Enumerable.Range(0, parts).Select(part => losses.Skip(part * length).Take(length).Average())]
            : throw new ArgumentException($"{parts} parts do not divide {losses.Count} positions");
    }
}
