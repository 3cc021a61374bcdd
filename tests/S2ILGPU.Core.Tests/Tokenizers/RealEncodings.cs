using System.Collections.Concurrent;
using System.IO.Compression;
using System.Reflection;
using Microsoft.ML.Tokenizers;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Vocabularies that people use, out of Microsoft's packages, as tokenizers of ours and of theirs.</summary>
internal static class RealEncodings
{
    private static readonly ConcurrentDictionary<string, Tokenizer> s_theirs = [];
    private static readonly ConcurrentDictionary<string, BytePairTokenizer> s_ours = [];

    /// <summary>Names of the encodings.</summary>
    public static string[] Names { get; } = ["gpt2", "cl100k_base", "o200k_base"];

    /// <summary>Microsoft's tokenizer.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static Tokenizer Theirs(string name) => s_theirs.GetOrAdd(name, static name => name == "gpt2"
        ? TiktokenTokenizer.CreateForModel("gpt2") : TiktokenTokenizer.CreateForEncoding(name));

    /// <summary>Ours, of a file as tiktoken writes them.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static BytePairTokenizer Ours(string name) => s_ours.GetOrAdd(name, static name =>
    {
        using var folder = new TemporaryFolder();
        return BytePairTokenizer.Load(Write(name, folder));
    });

    /// <summary>Writes the file of an encoding.</summary>
    public static string Write(string name, TemporaryFolder folder) =>
        folder.Write($"{name}.tiktoken", string.Join('\n', Lines(name)) + "\n");

    // The packages have a line with the number of tokens, then the tokens in the order of their ranks, without these.
    private static IEnumerable<string> Lines(string name)
    {
        string package = name switch { "gpt2" => "Gpt2", "cl100k_base" => "Cl100kBase", _ => "O200kBase" };
        using var stream = Assembly.Load($"Microsoft.ML.Tokenizers.Data.{package}")
            .GetManifestResourceStream($"{name}.tiktoken.deflate")!;
        using var reader = new StreamReader(new DeflateStream(stream, CompressionMode.Decompress));
        reader.ReadLine();
        for (int rank = 0; reader.ReadLine() is { } token; rank++)
            yield return $"{token} {rank}";
    }
}
