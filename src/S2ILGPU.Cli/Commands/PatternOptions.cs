using System.CommandLine;
using System.Globalization;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options that describe a local-stride pattern, shared by the commands that take one.</summary>
internal sealed class PatternOptions
{
    private readonly Option<int?> _heads = Number("--heads", null, "Query heads.");
    private readonly Option<int?> _keyValueHeads = Number("--kv-heads", null, "Key/value heads (default: as many as query heads).");
    private readonly Option<int?> _blockSize = Number("--block-size", 64, "Tokens per block: 16, 32, 64 or 128.");
    private readonly Option<int?> _localBlocks = Number("--local-blocks", 16, "Blocks in the local window, the diagonal block included.");
    private readonly Option<int?> _verticalStride = Number("--vert-stride", 8, "One remote block is kept of so many; 1 is dense.");
    private readonly Option<int?> _headOffset = Number("--head-offset", 0, "Phase of the stripes.");
    private readonly Option<bool> _homogeneousHeads = new("--homogeneous-heads") { Description = "Same stripes in every head." };
    private readonly Option<int?> _denseHeads = Number("--dense-heads", 0, "Heads that see everything, counted in key/value heads, the last ones.");
    private readonly Option<string?> _slideBy = Choice("--slide-by", ["query", "kv"], "Shift the stripes from query head to query head, or from KV head to KV head (default: kv).");
    private readonly Option<bool> _nonCausal = new("--non-causal") { Description = "Queries see later keys too; stripes are relative to the query." };

    /// <param name="headsRequired">Whether the number of heads must be given, because no tensor says it.</param>
    public PatternOptions(bool headsRequired) => _heads.Required = headsRequired;

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_heads, _keyValueHeads, _blockSize, _localBlocks, _verticalStride, _headOffset, _homogeneousHeads, _denseHeads, _slideBy, _nonCausal])
            command.Options.Add(option);
    }

    /// <summary>The pattern that the options describe.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <param name="queryHeads">Query heads where something else says them, as a tensor does; the option must agree when given.</param>
    /// <param name="keyValueHeads">Key/value heads likewise.</param>
    /// <exception cref="ArgumentException">An option breaks its rule, or disagrees with the given heads.</exception>
    public LocalStridePattern Parse(ParseResult result, int? queryHeads = null, int? keyValueHeads = null)
    {
        int heads = Agreed(_heads.Name, result.GetValue(_heads), queryHeads) ?? throw new ArgumentException("--heads is missing");
        int kvHeads = Agreed(_keyValueHeads.Name, result.GetValue(_keyValueHeads), keyValueHeads) ?? heads;
        var stripes = new StripeOptions
        {
            HeadOffset = Value(result, _headOffset),
            HomogeneousHeads = result.GetValue(_homogeneousHeads),
            DenseHeads = Value(result, _denseHeads),
            SlideByQueryHead = result.GetValue(_slideBy) == "query",
        };
        return new LocalStridePattern(heads, kvHeads, Value(result, _blockSize), Value(result, _localBlocks), Value(result, _verticalStride),
            stripes, isCausal: !result.GetValue(_nonCausal));
    }

    /// <summary>An option that takes a whole number; a wrong one gives one readable line.</summary>
    public static Option<int?> Number(string name, int? defaultValue, string description)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "N" };
        if (defaultValue is not null)
            option.DefaultValueFactory = _ => defaultValue;
        option.CustomParser = result =>
        {
            if (int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number))
                return number;
            result.AddError($"{name} must be a whole number, got {result.Tokens[0].Value}");
            return null;
        };
        return option;
    }

    /// <summary>An option that takes one of a few words; a wrong one gives one readable line.</summary>
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

    private static int Value(ParseResult result, Option<int?> option) => result.GetValue(option) ?? throw new ArgumentException($"{option.Name} needs a number");

    private static int? Agreed(string option, int? given, int? known) => given is null || known is null || given == known
        ? given ?? known
        : throw new ArgumentException($"{option} {given} disagrees with the {known} heads of the input");
}
