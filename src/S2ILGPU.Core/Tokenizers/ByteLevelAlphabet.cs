using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>The byte-level alphabet of GPT-2: each byte as one printable character, so that a vocabulary of byte
/// strings can stand in a JSON file.</summary>
/// <remarks>A printable Latin-1 byte is its own character; the 68 others take the characters from U+0100 on, in the
/// order of the bytes: a space is Ġ, a line feed Ċ.</remarks>
internal static class ByteLevelAlphabet
{
    private static readonly char[] Characters = CreateCharacters();
    private static readonly short[] Bytes = CreateBytes();

    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (byte b in bytes)
            text.Append(Characters[b]);
        return text.ToString();
    }

    /// <summary>The bytes of a token's text, or null when it holds a character that is none of the alphabet.</summary>
    public static byte[]? TryDecode(string text)
    {
        var bytes = new byte[text.Length];
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] >= Bytes.Length || Bytes[text[i]] < 0)
                return null;
            bytes[i] = (byte)Bytes[text[i]];
        }
        return bytes;
    }

    private static char[] CreateCharacters()
    {
        var characters = new char[256];
        int next = 0x100;
        for (int b = 0; b < 256; b++)
            characters[b] = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)next++;
        return characters;
    }

    private static short[] CreateBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[Characters[b]] = (short)b;
        return bytes;
    }
}
