using System.Runtime.InteropServices;
using TorchSharp;

namespace S2ILGPU.Peers.Torch;

/// <summary>Loads libtorch from the package folder.</summary>
internal static class LibTorch
{
    private const string NewestVersion = "GLIBCXX_3.4.32";

    /// <summary>Loads the libraries and sets the number of threads.</summary>
    /// <returns>Name, version and threads.</returns>
    /// <exception cref="PeerMissingException">One is missing or does not load.</exception>
    public static string Load(int threads)
    {
        // The two packages are two folders, and neither library finds the other's; loaded first, they are found by
        // name.
        foreach (string name in (string[])["c10", "torch_cpu", "torch"])
            LoadFrom(Find(name));
        LoadBinding(Find("LibTorchSharp"));
        try
        {
            torch.set_num_threads(threads);
            return $"libtorch {torch.__version__}, {torch.get_num_threads()} threads, TorchSharp "
                + typeof(torch).Assembly.GetName().Version!.ToString(3);
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            throw new PeerMissingException($"TorchSharp does not start: {OneLine(e.GetBaseException().Message)}");
        }
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
            throw new PeerMissingException($"{Path.GetFileName(path)} does not load: {OneLine(e.Message)}");
        }
    }

    private static string Find(string name)
    {
        string file = OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib"
            : $"lib{name}.so";
        string folders = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        return folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append(AppContext.BaseDirectory).Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists)
            ?? throw new PeerMissingException($"no package has {file} for this platform");
    }

    private static string OneLine(string message) => message.Trim().Split('\n')[0].Trim();
}
