using System.Text;
using System.Text.RegularExpressions;

namespace S2ILGPU.TestSupport;

/// <summary>A Markdown file of the repository.</summary>
/// <param name="Path">Its path relative to the root.</param>
/// <param name="Text">Its text.</param>
public sealed partial record Markdown(string Path, string Text)
{
    private static readonly string[] s_folders = ["docs", "samples", "bench", "src", "python", ".github"];

    /// <summary>All Markdown files.</summary>
    public static IReadOnlyList<Markdown> All { get; } =
    [
        .. Directory.EnumerateFiles(Repository.Root, "*.md")
            .Select(file => new Markdown(System.IO.Path.GetFileName(file), File.ReadAllText(file))),
        .. s_folders.SelectMany(folder => Repository.Sources(folder, "*.md"))
            .Select(source => new Markdown(source.Path, source.Text)),
    ];

    /// <summary>Targets of the links and pictures that lead into the repository, with their anchors.</summary>
    public IEnumerable<string> Links => Link().Matches(WithoutCode()).Select(match => match.Groups[1].Value)
        .Where(target => !target.Contains("://", StringComparison.Ordinal));

    /// <summary>The anchors of the headings, as GitHub and docfx make them.</summary>
    public IEnumerable<string> Anchors
    {
        get
        {
            var seen = new Dictionary<string, int>();
            foreach (Match heading in Heading().Matches(WithoutCode()))
            {
                string anchor = AnchorOf(heading.Groups[1].Value);
                int before = seen.GetValueOrDefault(anchor);
                seen[anchor] = before + 1;
                yield return before == 0 ? anchor : $"{anchor}-{before}";
            }
        }
    }

    /// <summary>The commands in blocks of bash, one per line, continued lines joined.</summary>
    public IEnumerable<string> BashLines => Bash().Matches(Text)
        .SelectMany(match => match.Groups[1].Value.Replace("\\\n", " ").Split('\n'))
        .Select(line => line.Trim()).Where(line => line.Length > 0);

    // Letters, digits, - and _ in lower case; spaces become -.
    private static string AnchorOf(string heading)
    {
        var anchor = new StringBuilder();
        foreach (char c in LinkText().Replace(heading, "$1").Trim().ToLowerInvariant())
            if (char.IsLetterOrDigit(c) || c is '-' or '_')
                anchor.Append(c);
            else if (c == ' ')
                anchor.Append('-');
        return anchor.ToString();
    }

    private string WithoutCode() => Fence().Replace(Text, "");

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#{1,6} (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex("^ *```.*?^ *```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("^```bash\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Bash();
}
