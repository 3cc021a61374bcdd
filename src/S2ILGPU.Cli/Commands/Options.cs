using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace S2ILGPU.Cli.Commands;

/// <summary>Options whose wrong values give one line that says the option, the value and what is expected: all numbers
/// and choices of the tool are made here.</summary>
internal static class Options
{
    /// <summary>A number with a default.</summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="defaultValue">Its value when left out.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="least">The smallest value; null for that of the type.</param>
    /// <param name="most">The largest value; null for that of the type.</param>
    public static Option<T> Number<T>(string name, T defaultValue, string description, T? least = null, T? most = null)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        new(name)
        {
            Description = description,
            HelpName = HelpName<T>(),
            DefaultValueFactory = _ => defaultValue,
            CustomParser = result => Parse(name, result, least, most) ?? defaultValue,
        };

    /// <summary>A number that may be left out.</summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="least">The smallest value; null for that of the type.</param>
    /// <param name="most">The largest value; null for that of the type.</param>
    /// <param name="unset">What the help says about the default; null when the option is required.</param>
    public static Option<T?> OptionalNumber<T>(string name, string description, T? least = null, T? most = null,
        string? unset = null)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        new(name)
        {
            Description = WithDefault(description, unset),
            HelpName = HelpName<T>(),
            CustomParser = result => Parse(name, result, least, most),
        };

    /// <summary>One of a few words.</summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="words">The words.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="defaultWord">The word when left out; null for none.</param>
    /// <param name="unset">What the help says about the default when it is none of the words.</param>
    public static Option<string?> Choice(string name, string[] words, string description, string? defaultWord = null,
        string? unset = null)
    {
        var option = new Option<string?>(name)
        {
            Description = WithDefault(description, unset),
            HelpName = string.Join('|', words),
        };
        if (defaultWord is not null)
            option.DefaultValueFactory = _ => defaultWord;
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !words.Contains(token.Value)) is { } unknown)
                result.AddError($"{name} must be {string.Join(", ", words[..^1])} or {words[^1]}, got {unknown.Value}");
        });
        return option;
    }

    /// <summary>A text, as a path or a name.</summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="helpName">What stands for the value in the help.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="unset">What the help says about the default.</param>
    public static Option<string?> Text(string name, string helpName, string description, string? unset = null) =>
        new(name) { Description = WithDefault(description, unset), HelpName = helpName };

    /// <summary>Something that is on or off.</summary>
    public static Option<bool> Switch(string name, string description) => new(name) { Description = description };

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => Switch("--json", "Print JSON");

    private static string WithDefault(string description, string? unset) =>
        unset is null ? description : $"{description} [default: {unset}]";

    private static T? Parse<T>(string name, ArgumentResult result, T? least, T? most)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        string text = result.Tokens[0].Value;
        T low = least ?? T.MinValue, high = most ?? T.MaxValue;
        bool isNumber = T.TryParse(text, IsWhole<T>() ? NumberStyles.AllowLeadingSign : NumberStyles.Float,
            CultureInfo.InvariantCulture, out var number);
        if (isNumber && T.IsFinite(number) && number >= low && number <= high)
            return number;
        bool isBeyond = isNumber ? !T.IsNaN(number)
            : IsWhole<T>() && BigInteger.TryParse(text, CultureInfo.InvariantCulture, out _);
        string range = isBeyond ? string.Create(CultureInfo.InvariantCulture, $" from {low} to {high}") : "";
        result.AddError($"{name} must be a {(IsWhole<T>() ? "whole " : "")}number{range}, got {text}");
        return null;
    }

    private static string HelpName<T>()
        where T : struct, INumber<T> => IsWhole<T>() ? "N" : "X";

    private static bool IsWhole<T>()
        where T : struct, INumber<T> => T.One / (T.One + T.One) == T.Zero;
}
