using System.CommandLine;

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
        if (Directory.Exists(folder))
            return folder;
        bool isImplicit = parsed.GetResult(option) is null or { Implicit: true };
        throw new DirectoryNotFoundException(isImplicit
            ? $"{folder} does not exist: s2 train makes it, --model names another folder"
            : $"--model: the folder {folder} does not exist");
    }
}
