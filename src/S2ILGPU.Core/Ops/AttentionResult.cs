using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>What the forward pass of sparse attention leaves for its user and for the backward pass. Dispose
/// it.</summary>
/// <param name="output">O [B, Nq, H, D]; the result owns it.</param>
/// <param name="logSumExp">LSE [B, H, Nq]; the result owns it.</param>
/// <param name="scale">Factor of the scores that were used.</param>
/// <param name="sequences">The sequences that were used; null when all have the tensors' length.</param>
public sealed class AttentionResult(Tensor output, Tensor logSumExp, float scale, SequenceBatch? sequences = null)
    : IDisposable
{
    /// <summary>O [B, Nq, H, D], of the element type of the query. Rows with nothing kept and padding are 0.</summary>
    public Tensor Output { get; } = output;

    /// <summary>LSE [B, H, Nq], natural logarithm, single precision. Rows with nothing kept and padding are
    /// -infinity.</summary>
    public Tensor LogSumExp { get; } = logSumExp;

    /// <summary>Factor of the scores.</summary>
    public float Scale { get; } = scale;

    /// <summary>The sequences; null when all have the tensors' length, or when this was merged from parts of different
    /// sequences.</summary>
    public SequenceBatch? Sequences { get; } = sequences;

    /// <summary>Whether this was merged from parts whose sequences differ in their keys, so that a backward pass must
    /// be told those of the keys that it gets.</summary>
    public bool HasPartsOfDifferentSequences { get; internal init; }

    /// <summary>Releases both tensors.</summary>
    public void Dispose()
    {
        Output.Dispose();
        LogSumExp.Dispose();
    }
}

/// <summary>The gradient of one part of a merge. Dispose it.</summary>
/// <param name="Output">dO_i [B, N, H, D].</param>
/// <param name="LogSumExp">dLSE_i [B, H, N].</param>
public sealed record AttentionPartGradients(Tensor Output, Tensor LogSumExp) : IDisposable
{
    /// <summary>Releases both tensors.</summary>
    public void Dispose()
    {
        Output.Dispose();
        LogSumExp.Dispose();
    }
}

/// <summary>The gradients of sparse attention, or where they go. Dispose it, or take it apart and dispose the
/// tensors.</summary>
/// <param name="Query">dQ [B, Nq, H, D].</param>
/// <param name="Key">dK [B, Nk, Hkv, D].</param>
/// <param name="Value">dV [B, Nk, Hkv, D].</param>
public sealed record AttentionGradients(Tensor Query, Tensor Key, Tensor Value) : IDisposable
{
    /// <summary>Releases the three tensors.</summary>
    public void Dispose()
    {
        Query.Dispose();
        Key.Dispose();
        Value.Dispose();
    }
}

/// <summary>What a call of sparse attention may choose. An immutable value; defaults here.</summary>
public sealed record AttentionOptions
{
    /// <summary>Factor of the scores; null for 1 / sqrt(D).</summary>
    public float? Scale { get; init; }

    /// <summary>Padded or packed sequences; null when all have the tensors' length.</summary>
    public SequenceBatch? Sequences { get; init; }

    /// <summary>Look for NaN and infinity in q, k and v first, at the price of reading them once more and waiting for
    /// the device. Without it they reach the rows that see them, as <see cref="IEngine.AttentionForward"/>
    /// says.</summary>
    public bool CheckFinite { get; init; }
}
