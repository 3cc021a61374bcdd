using System.CommandLine;
using System.Globalization;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options that describe a local-stride pattern, shared by the commands that take one.</summary>
internal sealed class PatternOptions
{
    /// <summary>Tokens of a block, as words.</summary>
    public static readonly string[] BlockSizes = ["16", "32", "64", "128"];

    private readonly Option<int?> _heads;
    private readonly Option<int?> _keyValueHeads;
    private readonly Option<string?> _blockSize = Options.Choice("--block-size", BlockSizes, "Tokens per block",
        "64");
    private readonly Option<int> _localBlocks = Options.Number("--local-blocks", 16,
        "Blocks in the local window, with the diagonal block", least: 1);
    private readonly Option<int> _verticalStride = Options.Number("--vert-stride", 8,
        "One remote block in N is kept; 1 is dense", least: 1, most: PatternRules.MaxStride);
    private readonly Option<int> _headOffset = Options.Number("--head-offset", 0, "Phase of the stripes", least: 0);
    private readonly Option<bool> _homogeneousHeads = Options.Switch("--homogeneous-heads",
        "Same stripes in every head");
    private readonly Option<int> _denseHeads = Options.Number("--dense-heads", 0,
        "How many of the last key/value heads read everything", least: 0);
    private readonly Option<string?> _slideBy = Options.Choice("--slide-by", ["query", "kv"],
        "Shift the stripes from query head to query head, or from key/value head to key/value head", "kv");
    private readonly Option<bool> _nonCausal = Options.Switch("--non-causal",
        "Queries read later keys too; stripes are relative to the query");

    /// <param name="headsRequired">Whether the number of heads must be given, because no tensor says it.</param>
    public PatternOptions(bool headsRequired)
    {
        _heads = Options.OptionalNumber<int>("--heads", "Query heads", least: 1,
            unset: headsRequired ? null : "those of q");
        _heads.Required = headsRequired;
        _keyValueHeads = Options.OptionalNumber<int>("--kv-heads", "Key/value heads", least: 1,
            unset: headsRequired ? "as many as query heads" : "those of k");
    }

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_heads, _keyValueHeads, _blockSize, _localBlocks, _verticalStride,
            _headOffset, _homogeneousHeads, _denseHeads, _slideBy, _nonCausal])
            command.Options.Add(option);
    }

    /// <summary>The pattern that the options describe.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <param name="queryHeads">Query heads where something else says them, as a tensor does; the option must agree
    /// when given.</param>
    /// <param name="keyValueHeads">Key/value heads likewise.</param>
    /// <exception cref="ArgumentException">An option breaks its rule, or disagrees with the given heads.</exception>
    public LocalStridePattern Parse(ParseResult result, int? queryHeads = null, int? keyValueHeads = null)
    {
        int heads = Agreed(_heads.Name, result.GetValue(_heads), queryHeads)
            ?? throw new ArgumentException("--heads is missing");
        int kvHeads = Agreed(_keyValueHeads.Name, result.GetValue(_keyValueHeads), keyValueHeads) ?? heads;
        int denseHeads = result.GetValue(_denseHeads);
        if (heads % kvHeads != 0)
            throw new ArgumentException($"--kv-heads must divide the {heads} query heads, got {kvHeads}");
        if (denseHeads > kvHeads)
            throw new ArgumentException(
                $"--dense-heads must be 0 to {kvHeads} (the key/value heads), got {denseHeads}");
        var stripes = new StripeOptions
        {
            HeadOffset = result.GetValue(_headOffset),
            HomogeneousHeads = result.GetValue(_homogeneousHeads),
            DenseHeads = denseHeads,
            SlideByQueryHead = result.GetValue(_slideBy) == "query",
        };
        int blockTokens = int.Parse(result.GetValue(_blockSize)!, CultureInfo.InvariantCulture);
        return new LocalStridePattern(heads, kvHeads, blockTokens, result.GetValue(_localBlocks),
            result.GetValue(_verticalStride), stripes, isCausal: !result.GetValue(_nonCausal));
    }

    private static int? Agreed(string option, int? given, int? known) =>
        given is null || known is null || given == known
        ? given ?? known
        : throw new ArgumentException($"{option} {given} disagrees with the {known} heads of the input");
}
