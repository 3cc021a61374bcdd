using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>What the documents name is there: paths of the repository, types and members, commands, links.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] s_fileTypes = [".cs", ".md", ".sh", ".py", ".csproj", ".props", ".targets"];

    // Those of the packages and of Python name paths of theirs.
    private static readonly Markdown[] s_documents =
        [.. Markdown.All.Where(document => !document.Path.StartsWith("src/", StringComparison.Ordinal)
            && !document.Path.StartsWith("python/", StringComparison.Ordinal))];

    // Folders that builds and programs make.
    private static readonly string[] s_made =
        [.. File.ReadLines(Repository.PathOf(".gitignore")).Select(line => line.Trim('/'))];

    [Fact]
    public void Paths_exist()
    {
        var found = from token in Tokens()
                    where IsRepositoryPath(token.Text)
                    select (token.Document, token.Text, Exists: Exists(token.Text));
        Assert.True(found.Count() > 30, "the search for paths finds too few");
        Assert.Empty(found.Where(path => !path.Exists).Select(path => $"{path.Document}: {path.Text}"));
    }

    [Fact]
    public void Types_and_members_exist()
    {
        var words = new[] { "src", "tests", "bench" }.SelectMany(folder => Repository.Sources(folder))
            .Where(source => !source.Path.EndsWith("DocumentationTests.cs", StringComparison.Ordinal))
            .SelectMany(source => Word().Matches(source.Text).Select(match => match.Value)).ToHashSet();
        var named = from token in Tokens()
                    let match = CSharpName().Match(token.Text)
                    where match.Success
                    from part in match.Groups[1].Value.Split('.')
                    select (token.Document, Name: part);
        Assert.True(named.Count() > 30, "the search for names finds too few");
        Assert.Empty(named.Where(name => !words.Contains(name.Name)).Select(name => $"{name.Document}: {name.Name}")
            .Distinct());
    }

    [Fact]
    public void Commands_exist()
    {
        string[] commands =
            [.. Directory.EnumerateFiles(Repository.PathOf("src", "S2ILGPU.Cli", "Commands"), "*Command.cs")
            .Select(file => Path.GetFileName(file)[..^"Command.cs".Length])];
        var named = from token in Tokens()
                    let match = Command().Match(token.Text)
                    where match.Success
                    select (token.Document, Name: match.Groups[1].Value);
        Assert.True(named.Count() > 10, "the search for commands finds too few");
        Assert.Empty(named.Where(name =>
            !commands.Contains(name.Name.Replace("-", ""), StringComparer.OrdinalIgnoreCase))
            .Select(name => $"{name.Document}: s2 {name.Name}"));
    }

    [Fact]
    public void Links_lead_to_files_and_headings()
    {
        var links = (from document in Markdown.All
                     from target in document.Links
                     select (document.Path, Target: target)).ToArray();
        Assert.True(links.Length > 60, $"only {links.Length} links found");
        Assert.Empty(links.Where(link => !IsThere(link.Path, link.Target))
            .Select(link => $"{link.Path}: {link.Target}"));
    }

    // A file or folder beside the document, and for an anchor a heading of the document that it leads to.
    private static bool IsThere(string document, string target)
    {
        string[] parts = target.Split('#');
        string path = parts[0].Length == 0 ? Repository.PathOf(document)
            : Path.GetFullPath(Repository.PathOf(Path.GetDirectoryName(document)!, parts[0]));
        return Path.Exists(path) && (parts.Length == 1 || Markdown.All.Any(file =>
            Path.GetFullPath(Repository.PathOf(file.Path)) == path && file.Anchors.Contains(parts[1])));
    }

    private static IEnumerable<(string Document, string Text)> Tokens() => from document in s_documents
                                                                           from match in Token()
                                                                           .Matches(Fence().Replace(document.Text, ""))
                                                                           select (document.Path,
                                                                               match.Groups[1].Value);

    // Names of several folders or files, of which the first is one of the root, or the last ends like a file of ours.
    private static bool IsRepositoryPath(string text)
    {
        string[] parts = text.TrimEnd('/').Split('/');
        return text.Contains('/') && PathCharacters().IsMatch(text) && !parts.Any(part => part.Trim('.').Length == 0)
            && !s_made.Contains(parts[0])
            && (Path.Exists(Repository.PathOf(parts[0])) || s_fileTypes.Contains(Path.GetExtension(text)));
    }

    // A placeholder such as <Name> stands for anything.
    private static bool Exists(string path)
    {
        string[] found = [Repository.Root];
        foreach (string part in path.TrimEnd('/').Split('/'))
            found = [.. found.Where(Directory.Exists)
                .SelectMany(folder => Directory.EnumerateFileSystemEntries(folder, Placeholder().Replace(part, "*")))];
        return found.Length > 0;
    }

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Token();

    [GeneratedRegex("```.*?```", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^[\w.<>*/-]+$")]
    private static partial Regex PathCharacters();

    [GeneratedRegex("<[A-Za-z]+>")]
    private static partial Regex Placeholder();

    // ISimd<T>, IlgpuEngine.View, TransformerModel(..., matrixType)
    [GeneratedRegex(@"^([A-Z]\w+(?:\.[A-Z]\w+)*)(?:<\w+>)?(?:\([^)]*\))?$")]
    private static partial Regex CSharpName();

    [GeneratedRegex(@"^s2 ([a-z]+(?:-[a-z]+)*)\b")]
    private static partial Regex Command();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
