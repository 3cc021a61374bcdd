using System.CommandLine;

namespace S2ILGPU.Cli.Commands;

/// <summary>The option <c>--attention</c> of commands that run a model.</summary>
internal static class AttentionOption
{
    /// <summary>How attention is spelled.</summary>
    public const string Spelling = "dense, s2:local=16,stride=8,block=64 or window:tokens=4096; dense/2:s2:... makes "
        + "every second layer dense; 0=dense+1-6=s2:...+7-=window:... names each layer's";

    /// <summary>The attention of a model that is trained: a word of its preset, or a plan.</summary>
    public static Option<string?> CreateOfPreset()
    {
        var option = Options.Text("--attention", "PLAN", "Attention of the layers: dense, s2 and hybrid (which begins "
            + $"with dense ones) as the preset has them, or {Spelling}; left out with --from it is the checkpoint's");
        option.DefaultValueFactory = _ => "hybrid";
        option.CompletionSources.Add("dense", "s2", "hybrid");
        return option;
    }

    /// <summary>The attention of a model that is written anew.</summary>
    public static Option<string?> Create() => Options.Text("--attention", "PLAN",
        $"Attention to run the model with: {Spelling}", unset: "the model's own");

    /// <summary>The attention of a model that runs: a plan, or blocks chosen at run time.</summary>
    public static Option<string?> CreateOfRun()
    {
        var option = Options.Text("--attention", "PLAN", $"Attention to run the model with: {Spelling}; "
            + "sample:alpha=0.95 chooses the blocks of long prompts at run time (further: columns, slashes, chunks, or "
            + "window and rows; audit, seed)", unset: "the model's own");
        option.CompletionSources.Add("dense", "s2", "sample");
        return option;
    }
}
