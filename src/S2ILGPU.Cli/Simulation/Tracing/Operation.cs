using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>One call of an engine's operation.</summary>
/// <param name="Name">Its name in <see cref="IEngine"/>.</param>
/// <param name="Work">Multiplications and additions of products and attention, bytes read and written of all
/// others.</param>
/// <param name="Rows">Rows that are gathered or added by their number; 0 for operations that go straight through their
/// tensors.</param>
internal readonly record struct Operation(string Name, double Work, long Rows = 0)
{
    /// <summary>Multiplications and additions of a product.</summary>
    public static Operation Of(in MatMulArguments arguments) => new(nameof(IEngine.MatMul),
        2.0 * arguments.C.Count * arguments.A.Shape[arguments.TransposeA ? 0 : 1]);

    /// <summary>Those of the forward pass over the kept blocks: 4 D per score.</summary>
    public static Operation Of(in AttentionForwardArguments arguments) => new(nameof(IEngine.AttentionForward),
        4 * Scores(arguments.Layout, arguments.Query, arguments.Sequences) * arguments.Query.Shape[3]);

    /// <summary>Those of the backward pass: 10 D per score.</summary>
    public static Operation Of(in AttentionBackwardArguments arguments) => new(nameof(IEngine.AttentionBackward),
        10 * Scores(arguments.Layout, arguments.Query, arguments.Sequences) * arguments.Query.Shape[3]);

    /// <summary>An operation that is bound by memory.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tensors">What it reads and writes; null for what is left out.</param>
    public static Operation Over(string name, params ReadOnlySpan<Tensor?> tensors)
    {
        double bytes = 0;
        foreach (var tensor in tensors)
            if (tensor is not null)
                bytes += (double)tensor.Count * tensor.ElementType.SizeBytes();
        return new Operation(name, bytes);
    }

    // Scores of all query heads and sequences, whole blocks where a mask hides a part.
    private static double Scores(BlockLayout layout, Tensor query, SequenceBatch sequences) =>
        (double)layout.KeptBlocks * layout.BlockTokens * layout.BlockTokens * query.Shape[2] / layout.Heads
            * sequences.Sequences.Length;
}
