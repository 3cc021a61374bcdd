namespace S2ILGPU.Inference;

/// <summary>The pages that a continuation from one position of a sequence reads: shared with the sequence, which may go
/// on and free its own share of them.</summary>
internal sealed class SavedSequence(int tokens, KeptPage[][] layers, int number)
{
    /// <summary>Tokens up to the position.</summary>
    public int Tokens { get; } = tokens;

    /// <summary>The pages of each layer.</summary>
    public KeptPage[][] Layers { get; } = layers;

    /// <summary>Its number where the pages are elsewhere.</summary>
    public int Number { get; } = number;
}

/// <summary>The new tokens of a sequence in a step: rows <paramref name="FirstRow"/> and on of its tensors.</summary>
/// <param name="Sequence">The sequence, from 0.</param>
/// <param name="FirstRow">Row of the first token.</param>
/// <param name="Count">Number of tokens, at least 1.</param>
internal readonly record struct StepRows(int Sequence, int FirstRow, int Count);
