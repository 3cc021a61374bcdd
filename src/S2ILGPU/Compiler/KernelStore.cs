using System.Security.Cryptography;
using System.Text;
using S2ILGPU.Storage;

namespace S2ILGPU.Compiler;

/// <summary>Compiled kernels on disk, so that the next start compiles nothing: one file for each
/// <see cref="KernelKey"/>, with the key and a checksum in front of the text.</summary>
/// <remarks>Any number of processes may use a folder at once: files are replaced whole, and a file that is damaged, cut
/// short or of another key is compiled anew. A folder that cannot be written costs time and nothing else.</remarks>
/// <param name="folder">Where; null keeps nothing. Created when the first kernel is kept.</param>
internal sealed class KernelStore(string? folder)
{
    /// <summary>Names the folder, or switches the store off.</summary>
    public const string Variable = "S2_KERNEL_CACHE";

    private const string Header = "// S2ILGPU kernel 1", KeyLine = "// key ", HashLine = "// sha256 ";

    // Builds that are not started any more leave their kernels there.
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(90);

    private bool _isTrimmed;

    /// <summary>Where kernels are kept; null when they are not.</summary>
    public string? Folder => folder;

    /// <summary>Kernels that were compiled.</summary>
    public int Compiled { get; private set; }

    /// <summary>Kernels that were read.</summary>
    public int Read { get; private set; }

    /// <summary>Why kernels cannot be kept, in one sentence; null as long as they can.</summary>
    public string? Note { get; private set; }

    /// <summary>The folder that a program and its user ask for.</summary>
    /// <param name="option">The program's: a path, empty for none; null asks the environment.</param>
    /// <param name="environment">Value of an environment variable.</param>
    /// <returns>A full path, or null for none.</returns>
    public static string? FolderOf(string? option, Func<string, string?> environment)
    {
        string? asked = option ?? environment(Variable);
        if (asked is null)
            return DefaultFolder(environment);
        return asked is "" or "off" ? null : Path.GetFullPath(asked);
    }

    /// <summary>The text of a kernel, kept or compiled.</summary>
    /// <param name="key">What it depends on.</param>
    /// <param name="entryName">What the kernel is called in it.</param>
    /// <param name="compile">Makes it.</param>
    public string Get(in KernelKey key, string entryName, Func<string> compile)
    {
        string? path = folder is null ? null : Path.Combine(folder, key.FileName);
        if (path is not null && TryRead(path, key, entryName) is { } kept)
        {
            Read++;
            return kept;
        }
        string text = compile();
        Compiled++;
        if (path is not null && Note is null)
            Keep(path, key, text);
        return text;
    }

    /// <summary>Tells that this ILGPU cannot load what was kept.</summary>
    public void GiveUp(string why) => Note ??= $"compiled kernels are not kept, every start compiles them again: {why}";

    private void Keep(string path, in KernelKey key, string text)
    {
        string content = $"{Header}\n{KeyLine}{key.Text}\n{HashLine}{Hash(text)}\n{text}";
        try
        {
            CreateFolder(folder!);
            AtomicFile.WriteText(path, content);
            if (!_isTrimmed)
                Trim();
            _isTrimmed = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            GiveUp($"{folder} cannot be written ({e.Message.TrimEnd('.')}); {Variable} names another folder, or is "
                + "'off'");
        }
    }

    private static string? TryRead(string path, in KernelKey key, string entryName)
    {
        string content;
        try
        {
            content = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        string start = $"{Header}\n{KeyLine}{key.Text}\n{HashLine}";
        if (!content.StartsWith(start, StringComparison.Ordinal))
            return null;
        int end = content.IndexOf('\n', start.Length);
        if (end < 0)
            return null;
        string text = content[(end + 1)..];
        return content.AsSpan(start.Length, end - start.Length).SequenceEqual(Hash(text))
            && text.Contains(entryName, StringComparison.Ordinal) ? text : null;
    }

    // Kernels are code: no other user may write there.
    private static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private void Trim()
    {
        var oldest = DateTime.UtcNow - s_lifetime;
        foreach (string pattern in (string[])["*.ptx", "*.cl"])
            foreach (var file in new DirectoryInfo(folder!).EnumerateFiles(pattern))
                if (file.LastWriteTimeUtc < oldest)
                    file.Delete();
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    // The cache folder of the user by the rules of the system; none for users without a home.
    private static string? DefaultFolder(Func<string, string?> environment)
    {
        if (environment("XDG_CACHE_HOME") is { Length: > 0 } xdg && Path.IsPathFullyQualified(xdg))
            return Path.Combine(xdg, "s2ilgpu", "kernels");
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        if (OperatingSystem.IsWindows())
            return local.Length == 0 ? null : Path.Combine(local, "S2ILGPU", "Kernels");
        return home.Length == 0 ? null : Path.Combine(home, OperatingSystem.IsMacOS() ? "Library/Caches" : ".cache",
            "s2ilgpu", "kernels");
    }
}
