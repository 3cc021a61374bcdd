using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.TestSupport;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace S2ILGPU.Package.Tests;

/// <summary>The files of GitHub: workflows that run, forms that ask.</summary>
public sealed partial class WorkflowTests
{
    private static readonly string s_folder = Repository.PathOf(".github");

    public static TheoryData<string> Workflows => FilesOf("workflows");

    public static TheoryData<string> Forms =>
        [.. Files("ISSUE_TEMPLATE").Where(file => file != "config.yml")];

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Workflow_has_bounded_jobs_of_steps_that_exist(string file)
    {
        var workflow = Load("workflows", file);
        Assert.Equal(Path.GetFileNameWithoutExtension(file), Text(workflow, "name"));
        Assert.NotEmpty(Map(workflow, "on").Children);
        Assert.NotEmpty(Map(workflow, "permissions").Children);
        foreach (var (_, value) in Map(workflow, "jobs"))
        {
            var job = (YamlMappingNode)value;
            Assert.NotEmpty(Text(job, "runs-on"));
            Assert.InRange(int.Parse(Text(job, "timeout-minutes")), 1, 360);
            foreach (var step in ((YamlSequenceNode)job["steps"]).Cast<YamlMappingNode>())
            {
                Assert.Equal(1, step.Children.Keys.Count(key => key.ToString() is "run" or "uses"));
                if (step.Children.ContainsKey("uses"))
                    Assert.Matches(@"^[\w-]+/[\w-]+@v\d+$", Text(step, "uses"));
                else
                    Assert.All(OwnPath().Matches(Text(step, "run")).Select(match => match.Groups[1].Value), path =>
                        Assert.True(Path.Exists(Repository.PathOf(path)), path));
            }
        }
    }

    [Fact]
    public void Tests_run_on_three_systems_and_with_less_SIMD()
    {
        var jobs = Map(Load("workflows", "test.yml"), "jobs");
        Assert.Equal(["ubuntu-latest", "windows-latest", "macos-latest"], Matrix(jobs, "test", "os"));
        Assert.Equal(["DOTNET_EnableAVX512", "DOTNET_EnableAVX2", "DOTNET_EnableHWIntrinsic"],
            Matrix(jobs, "registers", "switch"));
    }

    [Fact]
    public void Workflows_install_the_SDK_of_the_repository()
    {
        using var global = JsonDocument.Parse(File.ReadAllText(Repository.PathOf("global.json")));
        string version = global.RootElement.GetProperty("sdk").GetProperty("version").GetString()!;
        string wanted = string.Join('.', version.Split('.')[..2]) + ".x";
        var named = Files("workflows").SelectMany(file => Sdk()
            .Matches(File.ReadAllText(Path.Combine(s_folder, "workflows", file))))
            .Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(named);
        Assert.All(named, sdk => Assert.Equal(wanted, sdk));
    }

    [Fact]
    public void Packing_jobs_know_the_tags() =>
        Assert.All(Files("workflows").Select(file => Map(Load("workflows", file), "jobs")).SelectMany(jobs => jobs)
            .Select(job => job.Value.ToString()).Where(job => job.Contains("dotnet pack", StringComparison.Ordinal)),
            job => Assert.Contains("fetch-depth", job));

    [Theory]
    [MemberData(nameof(Forms))]
    public void Form_asks_for_what_it_needs(string file)
    {
        var form = Load("ISSUE_TEMPLATE", file);
        Assert.NotEmpty(Text(form, "name"));
        Assert.NotEmpty(Text(form, "description"));
        YamlMappingNode[] fields = [.. ((YamlSequenceNode)form["body"]).Cast<YamlMappingNode>()];
        Assert.Distinct(fields.Select(field => Text(field, "id")));
        Assert.All(fields, field => Assert.NotEmpty(Text(Map(field, "attributes"), "label")));
        Assert.Contains(fields, field => field.Children.TryGetValue("validations", out var rules)
            && Text((YamlMappingNode)rules, "required") == "true");
    }

    [Fact]
    public void Dependencies_are_watched_where_they_are()
    {
        var updates = ((YamlSequenceNode)Load("dependabot.yml")["updates"]).Cast<YamlMappingNode>().ToArray();
        Assert.Equal(["nuget", "github-actions", "pip"], updates.Select(entry => Text(entry, "package-ecosystem")));
        Assert.All(updates, entry =>
            Assert.True(Directory.Exists(Repository.PathOf(Text(entry, "directory").TrimStart('/')))));
    }

    private static TheoryData<string> FilesOf(string folder) => [.. Files(folder)];

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(Path.Combine(s_folder, folder), "*.yml").Select(file => Path.GetFileName(file))
        .Order(StringComparer.Ordinal);

    // A key that is given twice is refused.
    private static YamlMappingNode Load(params string[] path)
    {
        var stream = new YamlStream();
        using var reader = new StreamReader(Path.Combine([s_folder, .. path]));
        stream.Load(reader);
        return (YamlMappingNode)Assert.Single(stream.Documents).RootNode;
    }

    private static YamlMappingNode Map(YamlMappingNode node, string key) => (YamlMappingNode)node[key];

    private static string Text(YamlMappingNode node, string key) => ((YamlScalarNode)node[key]).Value ?? "";

    private static IEnumerable<string> Matrix(YamlMappingNode jobs, string job, string name) =>
        ((YamlSequenceNode)Map(Map(Map(jobs, job), "strategy"), "matrix")[name]).Select(value => value.ToString());

    [GeneratedRegex(@"(?:^|\s)((?:\.ci|tests|src|bench)/[\w./-]+)")]
    private static partial Regex OwnPath();

    [GeneratedRegex(@"dotnet-version: (\S+)")]
    private static partial Regex Sdk();
}
