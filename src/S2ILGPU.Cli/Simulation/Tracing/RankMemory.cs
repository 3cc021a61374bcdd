namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>Bytes that the tensors of a rank hold in a training step.</summary>
/// <param name="Weights">Parameters in fp32, their 16-bit shadows and the rotary tables.</param>
/// <param name="Gradients">Gradients of the parameters, and the summed ones of the rank's own part.</param>
/// <param name="Moments">Both moments of the optimizer, of the rank's own part.</param>
/// <param name="Activations">Everything else where the most is held: activations, their gradients, logits,
/// buckets under way, keys and values of other ranks. Exchanges that have ended early hold less.</param>
/// <param name="Fetched">The keys and values of other ranks among them.</param>
internal sealed record RankMemory(long Weights, long Gradients, long Moments, long Activations, long Fetched)
{
    /// <summary>The most that is held at a time.</summary>
    public long Total => Weights + Gradients + Moments + Activations;
}
