using System.Runtime.InteropServices;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Native.Tests;

/// <summary>The sample in C runs through the installed .NET runtime and as a library compiled ahead of time.</summary>
public sealed class SampleInCTests
{
    private const int MaxLines = 120;

    // 2.8 MB on x64.
    private const long MostLibraryBytes = 4_000_000;

    private static readonly string s_source = Repository.PathOf("samples", "AttentionFromC", "main.c");

    [Fact]
    public async Task Runs_in_the_installed_runtime()
    {
        CProgram.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        string program = await CProgram.CompileAsync(s_source, folder["attention"]);
        CheckOutput(await ChildProcess.RunAsync(program,
            Path.Combine(Repository.OutputOf("src/S2ILGPU.Native"), "S2ILGPU.Native.dll")));
    }

    [Fact]
    public async Task What_is_no_library_is_refused()
    {
        CProgram.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        string program = await CProgram.CompileAsync(s_source, folder["attention"]);
        foreach (string path in (string[])[folder["missing.dll"], folder["missing.so"], folder.Write("empty.so", "")])
        {
            var (code, output, error) = await ChildProcess.TryRunAsync(new Dictionary<string, string>(), program, path);
            Assert.Equal(1, code);
            Assert.Empty(output);
            Assert.Contains($"{path} cannot be loaded: status {(int)Status.Unsupported}", error);
        }
    }

    [LongFact]
    public async Task Runs_compiled_ahead_of_time()
    {
        CProgram.SkipWithoutCompiler();
        using var folder = new TemporaryFolder();
        await ChildProcess.RunAsync("dotnet", "publish", Repository.PathOf("src", "S2ILGPU.Native"),
            "-p:PublishAot=true", "--use-current-runtime", "--artifacts-path", folder["artifacts"],
            "--output", folder["out"], "-p:UseSharedCompilation=false");
        string library = folder["out/S2ILGPU.Native.so"];
        Assert.InRange(new FileInfo(library).Length, 1, MostLibraryBytes);
        string program = await CProgram.CompileAsync(s_source, folder["attention"]);
        string output = await ChildProcess.RunAsync(program, library);
        CheckOutput(output);
        if (RuntimeInformation.ProcessArchitecture == Architecture.X64)
            Assert.Contains("AVX2", output);
    }

    [Fact]
    public void Is_one_short_file() => Assert.InRange(File.ReadLines(s_source).Count(), 1, MaxLines - 1);

    private static void CheckOutput(string output) => Assert.Matches(
        @"^CPU \(.*\) keeps 116 of 182 blocks\ndQ\[3200\] \S+, finite difference \S+\n"
        + "after the release: status 3\n$", output);
}
