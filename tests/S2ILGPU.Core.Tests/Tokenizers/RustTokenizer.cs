using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Hugging Face's own tokenizer, in Rust, of a <c>tokenizer.json</c>.</summary>
internal sealed class RustTokenizer : IDisposable
{
    private readonly global::Tokenizers.DotNet.Tokenizer _tokenizer;

    private RustTokenizer(global::Tokenizers.DotNet.Tokenizer tokenizer) => _tokenizer = tokenizer;

    /// <summary>Reads a file; skips the test where the package has no library for this machine.</summary>
    public static RustTokenizer Load(string path)
    {
        try
        {
            return new RustTokenizer(new global::Tokenizers.DotNet.Tokenizer(path));
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            Assert.Skip($"Hugging Face's library is packed for Linux on x64 only: {e.Message}");
            throw;
        }
    }

    /// <summary>The ids, special tokens recognised and added.</summary>
    public int[] Encode(string text) => [.. _tokenizer.Encode(text).Select(id => (int)id)];

    /// <summary>The text of ids, without special tokens.</summary>
    public string Decode(IEnumerable<int> ids) => _tokenizer.Decode([.. ids.Select(id => (uint)id)]);

    public void Dispose() => _tokenizer.Dispose();
}
