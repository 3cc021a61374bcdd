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
    public static Option<T> Number<T>(string name, T defaultValue, string description)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        new(name) { Description = description, HelpName = HelpName<T>(), DefaultValueFactory = _ => defaultValue,
            CustomParser = result => Parse<T>(name, result) ?? defaultValue };

    /// <summary>A number that may be left out.</summary>
    public static Option<T?> OptionalNumber<T>(string name, string description)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        new(name) { Description = description, HelpName = HelpName<T>(), CustomParser = result =>
            Parse<T>(name, result) };

    /// <summary>One of a few words; null when left out.</summary>
    public static Option<string?> Choice(string name, string[] words, string description)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', words) };
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !words.Contains(token.Value)) is { } unknown)
                result.AddError($"{name} must be {string.Join(", ", words[..^1])} or {words[^1]}, got {unknown.Value}");
        });
        return option;
    }

    private static T? Parse<T>(string name, ArgumentResult result)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        string text = result.Tokens[0].Value;
        if (T.TryParse(text, IsWhole<T>() ? NumberStyles.AllowLeadingSign : NumberStyles.Float,
            CultureInfo.InvariantCulture, out var number) && T.IsFinite(number))
            return number;
        bool isBeyond = IsWhole<T>() ? BigInteger.TryParse(text, CultureInfo.InvariantCulture, out _)
            : T.IsInfinity(number);
        string range = isBeyond ? string.Create(CultureInfo.InvariantCulture,
            $" from {T.MinValue} to {T.MaxValue}") : "";
        result.AddError($"{name} must be a {(IsWhole<T>() ? "whole " : "")}number{range}, got {text}");
        return null;
    }

    private static string HelpName<T>()
        where T : struct, INumber<T> => IsWhole<T>() ? "N" : "X";

    private static bool IsWhole<T>()
        where T : struct, INumber<T> => T.One / (T.One + T.One) == T.Zero;
}
