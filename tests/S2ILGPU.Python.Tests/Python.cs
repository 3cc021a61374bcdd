using System.Collections.Concurrent;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Python.Tests;

/// <summary>The Python of this machine.</summary>
internal static class Python
{
    // Where a version manager comes first on the PATH, the system's Python may be the one with NumPy.
    private static readonly string[] s_candidates = ["python3", "/usr/bin/python3"];

    // By the modules: an import of PyTorch alone takes seconds.
    private static readonly ConcurrentDictionary<string, Task<string?>> s_found = [];

    /// <summary>The folder of the package and its tests.</summary>
    public static string Folder { get; } = Repository.PathOf("python");

    /// <summary>The assembly that a .NET runtime loads.</summary>
    public static string Assembly { get; } =
        Path.Combine(Repository.OutputOf("src/S2ILGPU.Native"), "S2ILGPU.Native.dll");

    /// <summary>The first Python that has all modules; otherwise the test is skipped.</summary>
    public static async Task<string> WithAsync(params string[] modules)
    {
        string list = string.Join(", ", modules);
        string? python = await s_found.GetOrAdd(list, FindAsync);
        Assert.SkipUnless(python is not null, $"needs Python 3 with {list}");
        return python;
    }

    private static async Task<string?> FindAsync(string modules)
    {
        foreach (string python in s_candidates.Where(p => ChildProcess.IsOnPath(p) || File.Exists(p)))
            if (await ChildProcess.TryRunAsync(new Dictionary<string, string>(), python, "-c", $"import {modules}")
                is (0, _, _))
                return python;
        return null;
    }

    /// <summary>Runs Python on the sources of the package, which must succeed.</summary>
    /// <param name="python">The program.</param>
    /// <param name="library">The library that the package loads; null for the one that it holds.</param>
    /// <param name="path">Folders of modules.</param>
    /// <param name="arguments">Arguments of Python.</param>
    /// <returns>What it prints, on both outputs.</returns>
    public static async Task<string> RunAsync(string python, string? library, string path,
        params IEnumerable<string> arguments)
    {
        var environment = new Dictionary<string, string>
        {
            ["PYTHONPATH"] = path,
            ["PYTHONDONTWRITEBYTECODE"] = "1",
            ["S2_SEED"] = Seeds.Current.ToString(),
            ["S2ILGPU_LIBRARY"] = library ?? "",
        };
        var (code, output, error) = await ChildProcess.TryRunAsync(environment, python, arguments);
        Assert.True(code == 0, $"{python} {string.Join(' ', arguments)}: {code}\n{output}{error}\n{Seeds.Text}");
        return output + error;
    }
}
