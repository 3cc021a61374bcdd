using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Python.Tests;

/// <summary>The tests of the Python package pass, with the library in the installed .NET runtime and compiled ahead of
/// time, from the sources and from a wheel.</summary>
public sealed partial class PackageTests
{
    private static readonly Dictionary<string, string[]> s_modules = new()
    {
        ["test_interface"] = ["numpy"],
        ["test_numpy"] = ["numpy"],
        ["test_torch"] = ["numpy", "torch"],
        ["test_huggingface"] = ["numpy", "torch"],
    };

    public static TheoryData<string> Tests => [.. s_modules.Keys];

    [Theory]
    [MemberData(nameof(Tests))]
    public async Task Tests_pass_in_the_installed_runtime(string name)
    {
        TestScale.SkipUnlessDrawn(3);
        await RunTestsAsync(await Python.WithAsync(s_modules[name]), name, Python.Assembly);
    }

    [Fact]
    public void Every_test_file_is_run() => Assert.Equal(s_modules.Keys.Order(),
        Directory.EnumerateFiles(Path.Combine(Python.Folder, "tests"), "test_*.py")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Order());

    [Fact]
    public async Task Benchmark_runs()
    {
        TestScale.SkipUnlessDrawn(3);
        string python = await Python.WithAsync("numpy", "torch");
        string output = await Python.RunAsync(python, Python.Assembly, Python.Folder,
            Repository.PathOf("bench", "python", "attention.py"), "--tokens", "256", "--repeats", "1");
        Assert.Matches(@"sparse [0-9.]+ ms.*\n.*masked dense [0-9.]+ ms", output);
    }

    [LongFact]
    public async Task Wheel_has_a_library_and_passes_the_tests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && ChildProcess.IsOnPath("gcc"), "needs Linux and gcc to link");
        // setuptools before numpy: numpy imports distutils, which Debian's setuptools refuses to replace afterwards
        string python = await Python.WithAsync("setuptools", "pip", "wheel", "numpy");
        using var folder = new TemporaryFolder();
        string sources = folder["python"], site = folder["site"], native = folder["python/s2ilgpu/native"];
        foreach (var (path, text) in Repository.Sources("python", "*.*")
            .Where(source => source.Path.Split('/') is not [_, "s2ilgpu", "native" or "dotnet", ..]))
            folder.Write(path, text);
        await ChildProcess.RunAsync("dotnet", "publish", Repository.PathOf("src", "S2ILGPU.Native"),
            "-p:PublishAot=true", "--use-current-runtime", "--artifacts-path", folder["artifacts"], "--output", native,
            "-p:UseSharedCompilation=false");
        await ChildProcess.RunAsync(python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir",
            folder["wheels"], sources);
        string wheel = Assert.Single(Directory.EnumerateFiles(folder["wheels"], "*.whl"));
        Assert.Matches(@"s2ilgpu-[0-9.]+-py3-none-linux_\w+\.whl$", wheel);
        Assert.InRange(new FileInfo(wheel).Length, 500_000, 3_000_000);
        await ChildProcess.RunAsync(python, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site, wheel);
        string where = await Python.RunAsync(python, null, site, "-c",
            "import s2ilgpu; print(s2ilgpu.__file__, s2ilgpu.runtime(), s2ilgpu.devices())");
        Assert.Contains($"{site}/s2ilgpu/__init__.py native ['cpu']", where);
        await RunTestsAsync(python, "test_numpy", null, site);
        if (await ChildProcess.TryRunAsync(new Dictionary<string, string>(), python, "-c", "import torch") is (0, _, _))
            await RunTestsAsync(python, "test_torch", null, site);
    }

    private static async Task RunTestsAsync(string python, string name, string? library, string? package = null)
    {
        string output = await Python.RunAsync(python, library,
            $"{package ?? Python.Folder}{Path.PathSeparator}{Path.Combine(Python.Folder, "tests")}", "-m", "unittest",
            "-v", name);
        // a run without tests passes too
        Assert.True(int.Parse(Ran().Match(output).Groups[1].Value) >= 5, output);
    }

    [GeneratedRegex(@"^Ran (\d+) tests in", RegexOptions.Multiline)]
    private static partial Regex Ran();
}
