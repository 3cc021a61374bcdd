namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>Replaces each match of a pattern by a text.</summary>
internal sealed class Replacement(SplitPattern pattern, byte[] content) : Normalizer
{
    public override ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text)
    {
        if (!pattern.TryFind(text, 0, out int start, out int end))
            return text;
        var result = new List<byte>(text.Length + text.Length / 2);
        int position = 0;
        do
        {
            result.AddRange(text[position..start]);
            result.AddRange(content);
            position = end;
        }
        while (pattern.TryFind(text, position, out start, out end));
        result.AddRange(text[position..]);
        return result.ToArray();
    }
}
