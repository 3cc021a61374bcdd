using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>What no source file may hold.</summary>
public sealed partial class SourceRulesTests
{
    [Fact]
    public void Nothing_is_left_unfinished()
    {
        var found = from source in Repository.Sources("src").Concat(Repository.Sources("tests"))
                    where !source.Path.EndsWith("SourceRulesTests.cs", StringComparison.Ordinal)
                    from Match match in Unfinished().Matches(source.Text)
                    select $"{source.Path}: {match.Value}";
        Assert.Empty(found);
    }

    [Fact]
    public void Skipped_tests_say_why()
    {
        var found = from source in Repository.Sources("tests")
                    where !source.Path.EndsWith("SourceRulesTests.cs", StringComparison.Ordinal)
                    from Match match in SkippedWithoutReason().Matches(source.Text)
                    select $"{source.Path}: {match.Value}";
        Assert.Empty(found);
    }

    [Fact]
    public void Package_versions_stand_in_one_place()
    {
        var found = Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)
            .Where(file => Regex.IsMatch(File.ReadAllText(file), "<PackageReference[^>]*Version="));
        Assert.Empty(found);
    }

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    [InlineData("samples")]
    [InlineData("bench")]
    public void Lines_have_at_most_200_columns(string folder)
    {
        var found = from source in Repository.Sources(folder).Concat(Repository.Sources(folder, "*.py"))
                    from line in source.Text.Split('\n').Index()
                    where line.Item.TrimEnd('\r').Length > 200
                    select $"{source.Path}:{line.Index + 1} has {line.Item.TrimEnd('\r').Length} columns";
        Assert.Empty(found);
    }

    [GeneratedRegex(@"NotImplementedException|\b(TODO|FIXME|HACK)\b")]
    private static partial Regex Unfinished();

    [GeneratedRegex("""Skip\s*=\s*""|Assert\.Skip\(""\)""")]
    private static partial Regex SkippedWithoutReason();
}
