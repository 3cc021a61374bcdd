using System.Globalization;
using System.Text;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>The tokens that merging a piece starts from.</summary>
internal abstract class Symbols
{
    /// <summary>The symbols of a vocabulary: bytes where it is byte-level, otherwise characters.</summary>
    public static Symbols Of(BytePairVocabulary vocabulary) => vocabulary.Pieces is { } pieces
        ? new CharacterSymbols(vocabulary, pieces) : new ByteSymbols(vocabulary);

    /// <summary>Writes the symbols of a piece.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="ids">Receives them at its start; as long as the piece.</param>
    /// <returns>How many there are.</returns>
    public abstract int Fill(ReadOnlySpan<byte> piece, Span<int> ids);
}

/// <summary>One token per byte.</summary>
internal sealed class ByteSymbols : Symbols
{
    private readonly int[] _ids = new int[256];

    public ByteSymbols(BytePairVocabulary vocabulary)
    {
        var added = vocabulary.AddedTokens.Select(token => token.Id).ToHashSet();
        for (int id = vocabulary.Tokens.Count - 1; id >= 0; id--)
            if (vocabulary.Tokens[id].Length == 1 && !added.Contains(id))
                _ids[vocabulary.Tokens[id][0]] = id;
    }

    public override int Fill(ReadOnlySpan<byte> piece, Span<int> ids)
    {
        for (int i = 0; i < piece.Length; i++)
            ids[i] = _ids[piece[i]];
        return piece.Length;
    }
}

/// <summary>One token per character; where there is none, those of its bytes, or the unknown token.</summary>
internal sealed class CharacterSymbols : Symbols
{
    private readonly Dictionary<int, int> _characters = [];
    private readonly int[] _bytes = new int[256]; // -1: none
    private readonly int? _unknown;
    private readonly bool _fuses;

    public CharacterSymbols(BytePairVocabulary vocabulary, IReadOnlyList<byte[]> pieces)
    {
        (_unknown, _fuses) = (vocabulary.UnknownToken, vocabulary.FusesUnknown);
        Array.Fill(_bytes, -1);
        for (int id = 0; id < pieces.Count; id++)
        {
            var piece = pieces[id];
            if (piece.Length > 0 && CharacterSet.CodePointAt(piece, 0, out int length) is var character
                && length == piece.Length)
                _characters.TryAdd(character, id);
            if (vocabulary.HasByteFallback && TryByte(piece) is { } value)
                _bytes[value] = id;
        }
    }

    /// <summary>The byte that a token named <c>&lt;0x0A&gt;</c> stands for; null for other tokens.</summary>
    public static byte? TryByte(ReadOnlySpan<byte> piece) =>
        piece.Length == 6 && piece.StartsWith("<0x"u8) && piece[5] == '>'
        && !piece[3..5].ContainsAnyInRange((byte)'a', (byte)'f')
        && byte.TryParse(piece[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? value : null;

    public override int Fill(ReadOnlySpan<byte> piece, Span<int> ids)
    {
        int count = 0;
        bool wasUnknown = false;
        for (int position = 0, length; position < piece.Length; position += length)
        {
            int character = CharacterSet.CodePointAt(piece, position, out length);
            var bytes = piece.Slice(position, length);
            bool isValid = length > 1 || bytes[0] < 0x80, isUnknown = false;
            if (isValid && _characters.TryGetValue(character, out int id))
                ids[count++] = id;
            else if (HasAll(bytes))
                foreach (byte value in bytes)
                    ids[count++] = _bytes[value];
            else if (isUnknown = _unknown is not null)
                ids[(wasUnknown && _fuses ? count : ++count) - 1] = _unknown!.Value;
            wasUnknown = isUnknown;
        }
        return count;
    }

    private bool HasAll(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
            if (_bytes[value] < 0)
                return false;
        return true;
    }
}
