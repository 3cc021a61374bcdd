using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Random inputs of the kinds that tokenizers meet.</summary>
internal static class RandomText
{
    private static readonly string[] Words =
    [
        "the", "The", "it's", "we'll", "I'VE", "don't", "'s", "''", "naïve", "Straße", "数据", "こんにちは", "привет", "123",
        "4567", "٣٤", "½", "Ⅷ", "x1", "a_b",
        "!?", "...", "<|endoftext|>", "<|",
        "😀", "👩‍👩‍👧", "e\u0301", "\u00A0", "\u3000", "\u2028", "\u0085", "\t", "\n",
        "\r\n", " ", "  ", "   ", "\n\n",
            " \n ", "\0", "{", "}", "=>", "\"", "\\",
    ];

    public static string Mixed(Random random, int words)
    {
        var text = new StringBuilder();
        for (int w = 0; w < words; w++)
            text.Append(Words[random.Next(Words.Length)]).Append(random.Next(3) == 0 ? " " : "");
        return text.ToString();
    }

    /// <summary>Any bytes, with valid and invalid UTF-8 in turns.</summary>
    public static byte[] Bytes(Random random, int length)
    {
        var bytes = new List<byte>();
        while (bytes.Count < length)
            if (random.Next(2) == 0)
                bytes.AddRange(Encoding.UTF8.GetBytes(Words[random.Next(Words.Length)]));
            else
                for (int i = random.Next(6); i > 0; i--)
                    bytes.Add((byte)random.Next(256));
        return bytes.ToArray();
    }

    /// <summary>A tokenizer trained on random text.</summary>
    public static BytePairTokenizer Tokenizer(Random random, int vocabularySize = 400)
    {
        var trainer = new BytePairTrainer();
        trainer.Add(Encoding.UTF8.GetBytes(Mixed(random, 3000)));
        trainer.Add(Bytes(random, 3000));
        return trainer.Build(vocabularySize);
    }
}
