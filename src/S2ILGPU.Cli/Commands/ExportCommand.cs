using System.CommandLine;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Models;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 export</c>: writes a model as the tools that know its architecture read it.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var source = ModelOption.Create();
        var target = new Option<string>("--out") { Description = "Folder to write", HelpName = "DIR", Required = true };
        var type = WeightTypeOption.Create();
        var shard = SizeOption.Create("--shard-size", "The most bytes of weights in a file", unset: "one file");
        var dense = Options.Switch("--dense-attention",
            "Write a model with dense attention, though it was trained with a pattern");
        var command = new Command("export", "Write a model as other tools read it.")
        {
            source, target, type, shard, dense,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var streams = parsed.InvocationConfiguration;
            string folder = ModelOption.Folder(parsed, source);
            var config = TransformerConfigFile.Read(ModelFolder.PathOf(folder, ModelFolder.Config));
            var copy = new FolderCopy
            {
                Source = folder,
                Target = parsed.GetValue(target)!,
                Config = Exported(config, parsed.GetValue(dense), dense.Name),
                Type = WeightTypeOption.TypeOf(parsed.GetValue(type)),
                ShardBytes = SizeOption.Bytes(parsed, shard) ?? long.MaxValue,
            };
            return Task.Run(() => Run(copy, streams, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(FolderCopy copy, InvocationConfiguration streams, CancellationToken cancellation)
    {
        copy.CheckTarget();
        using (var files = WeightFiles.Open(copy.Source))
            ModelWeights.Check(files, copy.Config);
        using (var progress = new LoadingLine(streams.Error, copy.Source))
            copy.Write(progress, cancellation);
        streams.Output.WriteLine(
            $"{copy.Config.Architecture} in {copy.Target}: {ImportCommand.FileNames(copy.Target)}");
        return 0;
    }

    // The block size of dense attention is no part of what it computes.
    private static TransformerConfig Exported(TransformerConfig config, bool isDense, string option)
    {
        var exported = isDense || config.Attention.All(attention => attention is DenseAttention)
            ? config with { Attention = AttentionPlan.Dense } : config;
        if (ModelArchitecture.Named(config.Architecture).Expresses(exported))
            return exported;
        string kinds = string.Join(", ", config.Attention.Select(attention => attention.Kind).Distinct());
        throw new ArgumentException(ModelArchitecture.Named(config.Architecture)
            .Expresses(exported with { Attention = AttentionPlan.Dense })
            ? $"{config.Architecture} has no fields for the attention of this model ({kinds}): other tools would run "
                + $"its weights with dense attention; {option} writes it so"
            : $"{config.Architecture} has no fields for what this model computes (attention {kinds}, activation "
                + $"{exported.Activation})");
    }
}
