using System.CommandLine;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary>The option <c>--model</c>: by default the folder that <c>s2 train</c> writes.</summary>
internal static class ModelOption
{
    /// <summary>Where <c>s2 train</c> leaves a model, and where the others look for one.</summary>
    public const string DefaultFolder = "runs/s2";

    public static Option<string> Create() => new("--model")
    {
        Description = "Model folder",
        HelpName = "DIR",
        DefaultValueFactory = _ => DefaultFolder,
    };

    /// <summary>The folder that was asked for.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder; the message says where one comes
    /// from.</exception>
    public static string Folder(ParseResult parsed, Option<string> option)
    {
        string folder = parsed.GetValue(option)!;
        bool isImplicit = parsed.GetResult(option) is null or { Implicit: true };
        return Directory.Exists(folder) || !isImplicit ? Existing("--model", folder)
            : throw new DirectoryNotFoundException(
                $"{folder} does not exist: s2 train makes it, --model names another folder");
    }

    /// <summary>A folder that must be there.</summary>
    /// <param name="option">What names it on the command line.</param>
    /// <param name="folder">Its path.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">It is a file.</exception>
    public static string Existing(string option, string folder) => Directory.Exists(folder) ? folder
        : File.Exists(folder) ? throw new InvalidDataException($"{option}: {folder} is a file, a folder was expected")
        : throw new DirectoryNotFoundException($"{option}: the folder {folder} does not exist");

    /// <summary>Reads a model that is not trained, with a line on a terminal that shows how far it is.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="engine">The engine that will hold it.</param>
    /// <param name="precision">Element type of matrices and activations; null for matrices as the files have them and
    /// activations of the engine's type.</param>
    /// <param name="attention">Attention to run it with; null for its own.</param>
    /// <param name="error">Shows how much is read.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static PretrainedModel Load(string folder, IEngine engine, ElementType? precision, string? attention,
        TextWriter error, CancellationToken cancellation)
    {
        using var progress = new LoadingLine(error, folder);
        return ModelFolder.Load(folder, engine, precision, precision, attention, progress, cancellation);
    }

    /// <summary>Says with which of its authors' fields the texts of a model are not drawn.</summary>
    public static void NoteUnused(PretrainedModel model, TextWriter error)
    {
        if (model.Generation.Unused is { Count: > 0 } unused)
            error.WriteLine($"note: {ModelFolder.GenerationConfig} asks for what is not computed: "
                + $"{string.Join(", ", unused)}; texts are drawn without it");
    }
}
