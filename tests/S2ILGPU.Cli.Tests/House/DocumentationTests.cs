using System.Text;
using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.House;

/// <summary>What the documents say of the tool is so: the commands that they show are understood, and the errors that
/// they explain are those of the sources.</summary>
public sealed partial class DocumentationTests
{
    [Fact]
    public void Commands_are_understood()
    {
        var commands = (from document in Markdown.All
                        from line in document.BashLines
                        let match = Call().Match(line)
                        where match.Success
                        select (document.Path, Arguments: match.Groups[1].Value)).ToArray();
        Assert.True(commands.Length > 60, $"only {commands.Length} commands found");
        Assert.Empty(commands
            .Select(command => (command, Error: ParseErrors.Find(CommandLine.Parse(Words(command.Arguments)))))
            .Where(found => found.Error is not null)
            .Select(found => $"{found.command.Path}: s2 {found.command.Arguments}: {found.Error}"));
    }

    [Theory]
    [InlineData("a \"b c\" 'd e' # f", new[] { "a", "b c", "d e" })]
    [InlineData("a --x=\"b #c\" < d.txt", new[] { "a", "--x=b #c" })]
    [InlineData("a '' | b", new[] { "a", "" })]
    public void Words_are_those_of_a_shell(string line, string[] words) => Assert.Equal(words, Words(line));

    [Fact]
    public void Explained_errors_are_those_of_the_sources()
    {
        string sources = Joined().Replace(
            string.Concat(Repository.Sources("src").Select(source => source.Text)), "");
        string page = File.ReadAllText(Repository.PathOf("docs", "errors.md"));
        var texts = (from row in Row().Matches(page)
                     from span in Code().Matches(row.Groups[1].Value)
                     from part in span.Groups[1].Value.Split("...")
                     where part.Trim().Length > 0
                     select part).ToArray();
        Assert.True(texts.Length > 30, $"only {texts.Length} texts found");
        Assert.DoesNotContain(texts, text => !sources.Contains(text, StringComparison.Ordinal));
    }

    // Up to a comment, a pipe or a redirection.
    private static List<string> Words(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char quote = '\0';
        foreach (char c in line)
            if (quote != '\0' ? c == quote : c is '"' or '\'')
                (quote, word) = (quote == '\0' ? c : '\0', word ?? new());
            else if (quote == '\0' && (c is '|' or '<' or '>' or '&' or ';' || (c == '#' && word is null)))
                break;
            else if (quote == '\0' && char.IsWhiteSpace(c))
            {
                if (word is not null)
                    words.Add(word.ToString());
                word = null;
            }
            else
                (word ??= new()).Append(c);
        if (word is not null)
            words.Add(word.ToString());
        return words;
    }

    // s2 at the beginning, behind variables, behind a launcher, or as dotnet run has it.
    [GeneratedRegex(@"^(?:dotnet run [^#]*src/S2ILGPU\.Cli --|(?:\w+=\S+ |(?:mpirun|mpiexec) [^#]*)*s2) (.*)$")]
    private static partial Regex Call();

    // Where a text of several lines is joined.
    [GeneratedRegex("\"\\s*\\+\\s*\\$?\"")]
    private static partial Regex Joined();

    [GeneratedRegex(@"^\| ([^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
