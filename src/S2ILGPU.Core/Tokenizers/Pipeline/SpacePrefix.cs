namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>Spells spaces as another character, or not, and puts one in front of a text that does not begin with
/// it.</summary>
/// <param name="space">How a space is spelled, in UTF-8.</param>
/// <param name="prefixes">Which pieces get one in front.</param>
internal sealed class SpacePrefix(byte[] space, PrefixScheme prefixes) : PreTokenizer
{
    private readonly Replacement? _spelling = space is [(byte)' '] ? null
        : new Replacement(SplitPattern.Literal(" "), space);

    public override void Split(ReadOnlySpan<byte> text, bool isFirst, IPieceReader next)
    {
        if (_spelling is not null)
            text = _spelling.Normalize(text);
        bool isPrefixed = prefixes == PrefixScheme.Always || (prefixes == PrefixScheme.First && isFirst);
        next.Read(isPrefixed && !text.StartsWith(space) ? [.. space, .. text] : text, isFirst);
    }
}

/// <summary>Which pieces <see cref="SpacePrefix"/> puts a space in front of.</summary>
internal enum PrefixScheme
{
    /// <summary>None.</summary>
    Never,

    /// <summary>The one that the text begins with.</summary>
    First,

    /// <summary>All: with added tokens in the text, each part between them.</summary>
    Always,
}
