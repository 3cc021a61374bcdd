using System.CommandLine;
using S2ILGPU.Cli.Design;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 design</c>: patterns for a context and a cache of a given size.</summary>
internal static class DesignCommand
{
    public static Command Create()
    {
        var heads = Options.OptionalNumber<int>("--heads", "Query heads", least: 1);
        heads.Required = true;
        var kvHeads = Options.OptionalNumber<int>("--kv-heads", "Key/value heads", least: 1,
            unset: "as many as query heads");
        var tokens = Options.OptionalNumber<int>("--tokens", "Tokens of the context", least: 1);
        tokens.Required = true;
        tokens.Aliases.Add("--context");
        var budget = Options.Number("--budget", 100.0, "Percent of the dense cache that decoding may keep", least: 0.01,
            most: 100);
        var blockSize = Options.Choice("--block-size", PatternOptions.BlockSizes, "Tokens per block", "64");
        var count = Options.Number("--count", 12, "The most patterns to show", least: 1);
        var json = Options.Json();
        var command = new Command("design",
            "Search patterns: what the heads together read, what decoding keeps, what can be gained.") { heads, kvHeads,
            tokens, budget, blockSize, count, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            int query = parsed.GetValue(heads)!.Value, keyValue = parsed.GetValue(kvHeads) ?? query;
            if (query % keyValue != 0)
                throw new ArgumentException($"--kv-heads must divide the {query} query heads, got {keyValue}");
            var search = await Interruptible.RunAsync(() => DesignSearch.Run((query, keyValue),
                int.Parse(parsed.GetValue(blockSize)!), parsed.GetValue(tokens)!.Value, parsed.GetValue(budget) / 100,
                cancellation), cancellation);
            var output = parsed.InvocationConfiguration.Output;
            int most = parsed.GetValue(count);
            if (parsed.GetValue(json))
                JsonText.WriteLine(output, writer => DesignText.WriteJson(search, most, writer));
            else
                DesignText.Write(search, most, output);
            return 0;
        });
        return command;
    }
}
