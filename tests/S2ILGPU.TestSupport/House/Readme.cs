using System.Text.RegularExpressions;

namespace S2ILGPU.TestSupport;

/// <summary>The C# examples of the README and of the packages' READMEs: programs to paste.</summary>
public static partial class Readme
{
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

    /// <summary>Whether an example needs a GPU to run.</summary>
    public static bool NeedsGpu(string code) => code.Contains("CreateAccelerator", StringComparison.Ordinal);

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharp();
}
