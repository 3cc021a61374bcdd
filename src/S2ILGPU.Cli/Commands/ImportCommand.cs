using System.CommandLine;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Templates;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 import</c>: checks a model folder of another tool, says what it is, and writes it as one to
/// serve.</summary>
internal static class ImportCommand
{
    public static Command Create()
    {
        var source = new Argument<string>("DIR") { Description = "Model folder" };
        var target = Options.Text("--out", "DIR", "Folder to write, the weights in one file",
            unset: "none, check only");
        var type = WeightTypeOption.Create();
        var attention = AttentionOption.Create();
        var command = new Command("import",
            "Check a model folder of another tool, say what it is, and write it with one file of weights.")
        {
            source, target, type, attention,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var streams = parsed.InvocationConfiguration;
            string folder = ModelOption.Existing("DIR", parsed.GetValue(source)!);
            var (to, written) = (parsed.GetValue(target), WeightTypeOption.TypeOf(parsed.GetValue(type)));
            if (to is null && written is not null)
                throw new ArgumentException($"{type.Name} needs {target.Name}, the folder to write");
            string? plan = parsed.GetValue(attention);
            return Task.Run(() => Run(folder, to, written, plan, streams, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(string source, string? target, SafetensorsType? type, string? attention,
        InvocationConfiguration streams, CancellationToken cancellation)
    {
        var description = ModelDescription.Read(source);
        var config = description.Config;
        if (attention is not null)
            config = (config with { Attention = AttentionPlan.Parse(attention, config.Layers) }).Validate();
        var chat = ChatTemplate.Load(source);
        var copy = target is null ? null
            : new FolderCopy { Source = source, Target = target, Config = config, Type = type };
        copy?.CheckTarget();
        using (var files = WeightFiles.Open(source))
        {
            ModelWeights.Check(files, config);
            ModelReport.Write(streams.Output, description, config, files, chat);
            using var progress = new LoadingLine(streams.Error, source);
            if (copy is null)
                CheckValues(files, config, progress, cancellation);
            else
                copy.Write(progress, cancellation);
        }
        streams.Output.WriteLine(copy is null ? "checked    every weight is finite"
            : $"written    {target}: {FileNames(target!)}");
        return 0;
    }

    /// <summary>The files of a folder, as a list.</summary>
    public static string FileNames(string folder) =>
        string.Join(", ", Directory.GetFiles(folder).Select(file => Path.GetFileName(file)).Order());

    private static void CheckValues(WeightFiles files, TransformerConfig config, LoadingLine progress,
        CancellationToken cancellation)
    {
        string[] names = [.. ModelParameters.Of(config).Stored.Select(tensor => tensor.Name)];
        for (int i = 0; i < names.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ModelWeights.CheckFinite(files.Of(names[i]), names[i]);
            progress.Report((i + 1.0) / names.Length);
        }
    }
}
