using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>Decodes tokens one by one, as they are generated: text comes out when its characters are complete, also
/// where a character is spread over several tokens.</summary>
/// <param name="tokenizer">The tokenizer of the ids.</param>
/// <param name="isContinuation">Whether the text continues another, as a generated one its prompt: then a space at its
/// beginning stays, where <see cref="BytePairTokenizer.Decode"/> may take it away.</param>
/// <remarks>Not safe to share between threads.</remarks>
public sealed class TokenStreamDecoder(BytePairTokenizer tokenizer, bool isContinuation = false)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private bool _isAtStart = !isContinuation;

    /// <summary>Takes one token.</summary>
    /// <param name="id">Token id.</param>
    /// <returns>The text that is complete now; may be empty. Bytes that cannot become valid UTF-8 come out as
    /// U+FFFD.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        var bytes = tokenizer.TokenBytes(id);
        if (_isAtStart)
            bytes = bytes[tokenizer.PrefixBytes([id])..];
        _isAtStart = false;
        return Convert(bytes, flush: false);
    }

    /// <summary>Ends the text; the decoder can then be used for another.</summary>
    /// <returns>U+FFFD if the text ended inside a character, otherwise nothing.</returns>
    public string Finish()
    {
        _isAtStart = !isContinuation;
        return Convert(default, flush: true);
    }

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[_decoder.GetCharCount(bytes, flush)];
        int count = _decoder.GetChars(bytes, characters, flush);
        return new string(characters, 0, count);
    }
}
