using System.Runtime.InteropServices;

namespace S2ILGPU.Peers.Torch;

/// <summary>Loads libtorch from the package folder, for this program and for the tests of S2ILGPU.TorchSharp.</summary>
internal static class LibTorch
{
    private const string NewestVersion = "GLIBCXX_3.4.32";

    /// <summary>Loads the libraries of libtorch and TorchSharp's own.</summary>
    /// <param name="folders">Where else to look than in the folders that the program's packages have.</param>
    /// <exception cref="DllNotFoundException">One is missing or does not load; the message is one line.</exception>
    public static void Load(params string[] folders)
    {
        // The two packages are two folders, and neither library finds the other's; loaded first, they are found by
        // name.
        foreach (string name in (string[])["c10", "torch_cpu", "torch"])
            LoadFrom(Find(name, folders));
        LoadBinding(Find("LibTorchSharp", folders));
    }

    private static void LoadBinding(string path)
    {
        if (NativeLibrary.TryLoad(path, out _))
            return;
        if (!OperatingSystem.IsLinux())
            LoadFrom(path);
        byte[] library = File.ReadAllBytes(path);
        if (!OlderLibstdcxx.Weaken(library, NewestVersion))
            LoadFrom(path);
        string folder = Path.Combine(AppContext.BaseDirectory, "older-libstdcxx");
        Directory.CreateDirectory(folder);
        string copy = Path.Combine(folder, Path.GetFileName(path));
        File.WriteAllBytes(copy, library);
        LoadFrom(copy);
    }

    private static void LoadFrom(string path)
    {
        try
        {
            NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new DllNotFoundException(
                $"{Path.GetFileName(path)} does not load: {e.Message.Trim().Split('\n')[0].Trim()}");
        }
    }

    private static string Find(string name, string[] further)
    {
        string file = OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib"
            : $"lib{name}.so";
        string folders = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        return folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append(AppContext.BaseDirectory).Concat(further).Select(folder => Path.Combine(folder, file))
            .FirstOrDefault(File.Exists)
            ?? throw new DllNotFoundException($"no package has {file} for this platform");
    }
}
