using System.CommandLine;
using System.CommandLine.Parsing;
using S2ILGPU.Cli.Commands;

namespace S2ILGPU.Cli;

/// <summary>What is wrong with a command line, in one line.</summary>
internal static class ParseErrors
{
    /// <summary>The first thing to mend, unknown words before what is missing because of them; null when all is
    /// well.</summary>
    public static string? Find(ParseResult parsed) =>
        MistypedOption(parsed) is { } option ? Unknown(parsed, parsed.CommandResult.Command, option)
        : parsed.Errors.Count > 0 ? Explain(parsed) : Empty(parsed);

    // One that was taken for the argument of a command that has one. Behind -- stands what is no option.
    private static string? MistypedOption(ParseResult parsed) =>
        parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash) ? null
        : parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value).FirstOrDefault(word => word.StartsWith("--", StringComparison.Ordinal));

    // No path and no name is empty; a prompt may be.
    private static string? Empty(ParseResult parsed) => parsed.CommandResult.Children
        .Where(child => child.Tokens.Any(token => token.Value.Length == 0)).Select(child => child switch
        {
            OptionResult { Option.Name: GenerateCommand.PromptOption } => null,
            OptionResult option => $"{option.Option.Name} is empty",
            ArgumentResult argument => $"{NameOf(argument.Argument)} is empty",
            _ => null,
        }).FirstOrDefault(text => text is not null);

    private static string Explain(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens.Count > 0)
            return Unknown(parsed, command, parsed.UnmatchedTokens[0]);
        foreach (var error in parsed.Errors)
            if (error.SymbolResult is OptionResult { Tokens.Count: 0, IdentifierTokenCount: > 0 } option)
                return $"{option.Option.Name} needs a value";
            else if (error.SymbolResult is OptionResult { IdentifierTokenCount: > 1 } repeated)
                return $"{repeated.Option.Name} is given {repeated.IdentifierTokenCount} times";
        var missing = command.Options.FirstOrDefault(option =>
            option.Required && parsed.GetResult(option) is not { IdentifierTokenCount: > 0 });
        if (missing is not null)
            return $"{missing.Name} is missing: {NameOf(command)} needs it";
        var argument = command.Arguments.FirstOrDefault(argument => argument.Arity.MinimumNumberOfValues > 0
            && parsed.GetResult(argument) is not { Tokens.Count: > 0 });
        if (argument is not null)
            return $"{NameOf(argument)} is missing: {NameOf(command)} needs it";
        return parsed.Errors[0].Message;
    }

    /// <summary>The word that is meant by a mistyped one; null when none is near.</summary>
    internal static string? Nearest(string typed, IEnumerable<string> words) => words
        .Select(word => (Word: word, Distance: Distance(typed, word)))
        .Where(pair => pair.Distance <= Math.Max(1, pair.Word.TrimStart('-').Length / 3))
        .OrderBy(pair => pair.Distance).ThenBy(pair => pair.Word, StringComparer.Ordinal)
        .Select(pair => pair.Word).FirstOrDefault();

    private static string Unknown(ParseResult parsed, Command command, string word)
    {
        string name = NameOf(command);
        bool isOption = word.StartsWith('-');
        if (!isOption && command.Subcommands.Count == 0)
            return $"{name} does not take the argument '{word}'"
                + (parsed.Tokens.Any(t => t.Type == TokenType.Option) ? "; a value with spaces needs quotes" : "");
        if (!isOption)
            return Nearest(word, command.Subcommands.Select(c => c.Name)) is { } meant
                ? $"{name} has no command '{word}'; did you mean '{meant}'?"
                : $"{name} has no command '{word}'; there is "
                    + string.Join(", ", command.Subcommands.Select(c => c.Name));
        bool Has(Command other) => other.Options.Any(o => o.Name == word);
        string[] owners = [.. command.Subcommands.Append(command).Where(Has).Select(NameOf)];
        if (owners.Length > 0)
            return $"{word} is an option of {List(owners)}, and goes after that name";
        string[] others = [.. Beside(command).Where(Has).Select(NameOf)];
        if (others.Length > 0)
            return $"{name} has no option '{word}'; {List(others)} {(others.Length == 1 ? "has" : "have")}";
        if (Nearest(word, command.Options.Select(o => o.Name)) is { } option)
            return $"{name} has no option '{word}'; did you mean '{option}'?";
        return $"{name} has no option '{word}'; {name} --help lists them";
    }

    // a, b and c
    private static string List(string[] names) =>
        names.Length == 1 ? names[0] : $"{string.Join(", ", names[..^1])} and {names[^1]}";

    // The other commands of a group, which may have an option that is unknown here.
    private static IEnumerable<Command> Beside(Command command)
    {
        var group = command.Parents.OfType<Command>().FirstOrDefault();
        return group is null or RootCommand ? [] : group.Subcommands.Where(c => c != command);
    }

    private static string NameOf(Argument argument) => argument.HelpName ?? argument.Name;

    private static string NameOf(Command command)
    {
        var group = command.Parents.OfType<Command>().FirstOrDefault();
        return group is null ? "s2" : $"{NameOf(group)} {command.Name}";
    }

    // Damerau-Levenshtein: insertions, deletions, replacements, and two neighbours swapped.
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }
                int replaced = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, 1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        return cost[a.Length, b.Length];
    }
}
