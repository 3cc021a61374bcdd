using System.Text.RegularExpressions;

namespace S2ILGPU.TestSupport;

/// <summary>The C# examples of the README and of the packages' READMEs: programs to paste.</summary>
public static partial class Readme
{
    /// <summary>What examples call the model and its server.</summary>
    public const string ModelFolder = "runs/s2", Server = "http://127.0.0.1:8080";

    private static readonly string[] s_files =
        ["README.md", .. Directory.EnumerateFiles(Repository.PathOf("src"), "README.md", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)];

    /// <summary>The examples by file and number, as in <c>README.md 1</c>.</summary>
    public static IReadOnlyDictionary<string, string> Examples { get; } = (
        from file in s_files
        from example in CSharp().Matches(File.ReadAllText(Repository.PathOf(file))).Index()
        select (Name: $"{file} {example.Index + 1}", Code: example.Item.Groups[1].Value))
        .ToDictionary(example => example.Name, example => example.Code);

    /// <summary>Whether an example needs a GPU or libtorch to run, which packages of ours do not bring.</summary>
    public static bool NeedsMore(string code) => code.Contains("CreateAccelerator", StringComparison.Ordinal)
        || code.Contains("using TorchSharp", StringComparison.Ordinal);

    /// <summary>Whether an example needs the model that <c>s2 train</c> leaves, or its server.</summary>
    public static bool NeedsModel(string code) =>
        code.Contains(ModelFolder, StringComparison.Ordinal) || code.Contains(Server, StringComparison.Ordinal);

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharp();
}
