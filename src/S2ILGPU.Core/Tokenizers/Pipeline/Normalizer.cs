namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>A step of rewriting text before it is split.</summary>
internal abstract class Normalizer
{
    /// <summary>The text rewritten; the same memory where nothing changes.</summary>
    /// <param name="text">UTF-8, or any bytes.</param>
    public abstract ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text);
}

/// <summary>Puts a text in front of one that is not empty.</summary>
internal sealed class Prefix(byte[] prefix) : Normalizer
{
    public override ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text) =>
        text.IsEmpty ? text : (byte[])[.. prefix, .. text];
}
