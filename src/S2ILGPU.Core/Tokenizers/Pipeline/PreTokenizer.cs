namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>Takes pieces of text, one after the other.</summary>
internal interface IPieceReader
{
    /// <summary>Takes one piece.</summary>
    /// <param name="piece">UTF-8, or any bytes; not empty.</param>
    /// <param name="isFirst">Whether the text begins with it.</param>
    void Read(ReadOnlySpan<byte> piece, bool isFirst);
}

/// <summary>A step of splitting text into the pieces inside which tokens are merged.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Splits a piece into smaller ones, or changes it.</summary>
    /// <param name="text">The piece; not empty.</param>
    /// <param name="isFirst">Whether the text begins with it.</param>
    /// <param name="next">Receives what it becomes.</param>
    public abstract void Split(ReadOnlySpan<byte> text, bool isFirst, IPieceReader next);

    /// <summary>The step as a reader of what an earlier step makes.</summary>
    public IPieceReader Before(IPieceReader next) => new Reader(this, next);

    private sealed class Reader(PreTokenizer step, IPieceReader next) : IPieceReader
    {
        public void Read(ReadOnlySpan<byte> piece, bool isFirst) => step.Split(piece, isFirst, next);
    }
}
