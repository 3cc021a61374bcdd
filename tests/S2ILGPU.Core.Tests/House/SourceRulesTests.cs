using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>What no source file may hold.</summary>
public sealed partial class SourceRulesTests
{
    private const int MaxColumns = 120;

    public static TheoryData<string> Folders => ["src", "tests", "samples", "bench", "python"];

    [Fact]
    public void Nothing_is_left_unfinished()
    {
        var found = from source in Repository.Sources("src").Concat(Repository.Sources("tests"))
                    where !IsThisFile(source.Path)
                    from Match match in Unfinished().Matches(source.Text)
                    select $"{source.Path}: {match.Value}";
        Assert.Empty(found);
    }

    [Fact]
    public void Skipped_tests_say_why()
    {
        var found = from source in Repository.Sources("tests")
                    where !IsThisFile(source.Path)
                    from Match match in SkippedWithoutReason().Matches(source.Text)
                    select $"{source.Path}: {match.Value}";
        Assert.Empty(found);
    }

    [Fact]
    public void Package_versions_stand_in_one_place()
    {
        var found = Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)
            // The projects that templates make stand alone.
            .Where(file => !file.Contains("S2ILGPU.Templates", StringComparison.Ordinal)
                && Regex.IsMatch(File.ReadAllText(file), "<PackageReference[^>]*Version="));
        Assert.Empty(found);
    }

    // Generated files and the data in raw string literals may be wider.
    [Theory]
    [MemberData(nameof(Folders))]
    public void Lines_have_at_most_120_columns(string folder)
    {
        var found = from source in Repository.Sources(folder).Concat(Repository.Sources(folder, "*.py"))
                    where !source.Path.EndsWith(".g.cs", StringComparison.Ordinal)
                    let lines = source.Path.EndsWith(".cs", StringComparison.Ordinal)
                        ? RawString().Replace(source.Text, OnlyLineEnds) : source.Text
                    from line in lines.Split('\n').Index()
                    where line.Item.TrimEnd('\r').Length > MaxColumns
                    select $"{source.Path}:{line.Index + 1} has {line.Item.TrimEnd('\r').Length} columns";
        Assert.Empty(found);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Sources_speak_plain_English(string folder)
    {
        var found = from source in Repository.Sources(folder)
                    where !IsThisFile(source.Path)
                    from line in source.Text.Split('\n').Index()
                    from Match match in Ornate().Matches(line.Item)
                    select $"{source.Path}:{line.Index + 1}: {match.Value}";
        Assert.Empty(found);
    }

    private static bool IsThisFile(string path) => path.EndsWith("SourceRulesTests.cs", StringComparison.Ordinal);

    private static string OnlyLineEnds(Match match) => new('\n', match.Value.Count(c => c == '\n'));

    [GeneratedRegex("(\"{3,}).*?\\1", RegexOptions.Singleline)]
    private static partial Regex RawString();

    // Code is no person.
    [GeneratedRegex(@"\b(nobody|somebody|everybody|anybody|affairs?|brings? home)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Ornate();

    [GeneratedRegex(@"NotImplementedException|\b(TODO|FIXME|HACK)\b")]
    private static partial Regex Unfinished();

    [GeneratedRegex("""Skip\s*=\s*""|Assert\.Skip\(""\)""")]
    private static partial Regex SkippedWithoutReason();
}
