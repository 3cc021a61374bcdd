using System.Reflection;
using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>Every sample runs in this process and prints what it promises.</summary>
[Collection(nameof(ConsoleOutput))]
public sealed class SampleTests
{
    private const int MaxLines = 120;

    private static readonly string s_folder = Repository.PathOf("samples");

    // What the output of each sample must match.
    private static readonly Dictionary<string, string[]> s_expected = new()
    {
        ["DrawAPattern"] = [@"#\.\.\.#\.\.\.#\.\.\.####", "\n0321032103210###\n", "coverage  complete"],
        ["SparseAttentionOnYourOwnArrays"] = ["largest difference over all 64 components: [0-9.]+e-[67]"],
        ["CheckAGradient"] = ["query +[0-9]+ .*\nkey .*\nvalue .*\nthe gradients agree\n"],
        ["TrainATinyModel"] = ["step  120: training loss 0[.]",
            "This is the cat,\nthat killed the rat,\nthat ate the malt,\nthat lay in the house that Jack built[.]\n"],
        ["AttentionInYourIlgpuProgram"] =
            ["; tensor cores for 16-bit buffers: True\nforward:  .* [0-9.]+e-[678]\nbackward: .* "
            + "[0-9.]+e-[5678]\ndecoding: .* [0-9.]+e([+]0|-[678])\n"],
        ["YourOwnPattern"] = ["coverage\n +128 .* complete\n +1024 .* incomplete",
            @"first 32 tokens  0\.0e\+0\nall tokens +[1-9]"],
    };

    public static TheoryData<string> Samples => [.. s_expected.Keys];

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_sample_prints_what_it_promises(string sample)
    {
        string output = ConsoleOutput.Of(Assembly.Load(sample));
        Assert.All(s_expected[sample], pattern => Assert.Matches(new Regex(pattern), output));
    }

    [Fact]
    public void Every_folder_is_a_sample_that_is_run_and_listed()
    {
        // those in C have their tests with the C interface
        string[] folders = [.. Directory.EnumerateDirectories(s_folder)
            .Where(folder => !File.Exists(Path.Combine(folder, "main.c")))
            .Select(folder => Path.GetFileName(folder)).Order()];
        Assert.Equal(folders, s_expected.Keys.Order());
        string readme = File.ReadAllText(Path.Combine(s_folder, "README.md"));
        Assert.All(folders, folder => Assert.Contains($"[{folder}]({folder}/Program.cs)", readme));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_sample_is_one_file_on_a_few_screens(string sample)
    {
        string file = Assert.Single(Directory.EnumerateFiles(Path.Combine(s_folder, sample), "*.cs"));
        Assert.Equal("Program.cs", Path.GetFileName(file));
        Assert.InRange(File.ReadLines(file).Count(), 1, MaxLines - 1);
    }
}
