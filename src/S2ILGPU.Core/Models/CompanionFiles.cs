using System.IO.Enumeration;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>The files that go with a model beside configuration and weights: tokenizer, chat template, what generation
/// begins with, code of the model's authors, licence.</summary>
internal static class CompanionFiles
{
    private static readonly string[] s_names = [ModelFolder.GenerationConfig, "tokenizer*", "*.tiktoken",
        "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template*", "*.py",
        "LICENSE*", "NOTICE*"];

    /// <summary>Copies them from one folder to another, byte by byte; files of these names there are
    /// replaced.</summary>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public static void Copy(string source, string target)
    {
        foreach (string file in Directory.EnumerateFiles(source).Select(path => Path.GetFileName(path)))
            if (s_names.Any(name => FileSystemName.MatchesSimpleExpression(name, file)))
                AtomicFile.Write(Path.Combine(target, file), stream =>
                {
                    string path = Path.Combine(source, file);
                    using var content = FileErrors.Explained(path, "read", () => File.OpenRead(path));
                    content.CopyTo(stream);
                });
    }
}
