using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Quality;

/// <summary>The size of what each attention head gives, before the output product: whether few heads do the
/// work.</summary>
/// <remarks>A shard that has the whole sequence is where the outputs of attention can be seen.</remarks>
internal sealed class HeadNorms : IContextShard
{
    private readonly List<double[]> _squares = []; // by layer and head, summed over tokens
    private long _tokens;

    /// <inheritdoc/>
    public int Ranks => 1;

    /// <summary>Root mean square norm of each head's output on a text, [layer][head].</summary>
    /// <param name="model">The model; its parameters stay as they are.</param>
    /// <param name="data">The text.</param>
    /// <param name="tokens">N, tokens of a window.</param>
    /// <param name="windows">Windows, drawn from the text.</param>
    public static double[][] Measure(TransformerModel model, TokenDataset data, int tokens, int windows)
    {
        var norms = new HeadNorms();
        var options = new TrainingOptions
        {
            Steps = 1,
            ContextTokens = tokens,
            BatchSequences = windows,
            LearningRate = 0, // the step of the optimizer, decay included, changes nothing
            ValidationSequences = 1,
        };
        using var trainer = new Trainer(model, data, data, options, ranks: null, shard: norms);
        trainer.RunStep();
        return [.. norms._squares.Select(layer =>
            layer.Select(sum => Math.Sqrt(sum / norms._tokens)).ToArray())];
    }

    /// <summary>The largest head of a layer over the mean of its heads, the mean over layers: 1 where all heads give as
    /// much, H where one gives everything.</summary>
    /// <param name="norms">[layer][head].</param>
    public static double Imbalance(IReadOnlyList<double[]> norms) =>
        norms.Average(layer => layer.Max() / layer.Average());

    /// <inheritdoc/>
    public int[] Positions(int contextTokens) => [.. Enumerable.Range(0, contextTokens)];

    /// <inheritdoc/>
    public Variable Attend(Tape tape, AttentionPattern pattern, Variable query, Variable key, Variable value,
        int contextTokens)
    {
        int batch = query.Value.Shape[0], heads = query.Value.Shape[2], width = query.Value.Shape[3];
        var output = tape.Attention(query, key, value, BlockLayout.Create(pattern, contextTokens),
            SequenceBatch.Uniform(batch, contextTokens, contextTokens));
        float[] numbers = tape.Engine.ToArray(output.Value);
        double[] squares = new double[heads];
        for (int i = 0; i < numbers.Length; i++)
            squares[i / width % heads] += (double)numbers[i] * numbers[i];
        _squares.Add(squares);
        _tokens = (long)batch * contextTokens;
        return output;
    }
}
