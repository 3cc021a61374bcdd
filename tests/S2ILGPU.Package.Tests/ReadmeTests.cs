using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Package.Tests;

/// <summary>The first screen of the README has what a newcomer types, and CI runs it. The tests of the samples compile
/// its examples.</summary>
public sealed class ReadmeTests
{
    private static readonly string s_readme = File.ReadAllText(Repository.PathOf("README.md"));

    [Fact]
    public void First_screen_has_the_commands()
    {
        string[] commands = [.. s_readme.Split('\n').Take(30)
            .Where(line => line.StartsWith("dotnet ", StringComparison.Ordinal))
            .Select(line => line.Split('#')[0].Trim())];
        Assert.Equal(["dotnet run -c Release --project src/S2ILGPU.Cli -- train", "dotnet test",
            "dotnet add package S2ILGPU", "dotnet tool install -g S2ILGPU.Cli",
            "dotnet new install S2ILGPU.Templates"], commands);
    }

    [Fact]
    public void Continuous_integration_runs_the_second_command() =>
        Assert.Contains("\ndotnet test ", File.ReadAllText(Repository.PathOf(".ci", "run")));

    [Fact]
    public void Every_readme_has_an_example() =>
        Assert.All(["README.md", "src/S2ILGPU/README.md", "src/S2ILGPU.Core/README.md"], file =>
            Assert.Contains($"{file} 1", Readme.Examples.Keys));
}
