using System.Net;
using System.Text.RegularExpressions;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cluster;
using S2ILGPU.TestSupport;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace S2ILGPU.Cli.Tests;

/// <summary>The deployment of docs/cluster.md names what the tool has, and its parts name each other.</summary>
public sealed partial class KubernetesTests
{
    private static readonly string s_guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "cluster.md"));

    private static readonly YamlMappingNode[] s_documents = Documents();

    private static readonly YamlNode s_pod = At(Document("Deployment"), "spec", "template"),
        s_container = Assert.Single(List(s_pod, "spec", "containers"));

    private static readonly Dictionary<string, int> s_ports = List(s_container, "ports")
        .ToDictionary(port => Text(port, "name"), port => int.Parse(Text(port, "containerPort")));

    [Fact]
    public void Arguments_are_options_of_the_tool()
    {
        string[] names = [.. List(s_container, "env").Select(variable => Text(variable, "name"))];
        string[] given = [.. List(s_container, "args").Select(argument => argument.ToString())];
        Assert.All(given.SelectMany(argument => Variable().Matches(argument)), variable =>
            Assert.Contains(variable.Groups["name"].Value, names));
        var parsed = CommandLine.Parse([.. given.Select(argument => argument
            .Replace("$(POD_IP)", "10.0.0.5").Replace("$(REDIS_PASSWORD)", "secret"))]);
        Assert.Null(ParseErrors.Find(parsed));
        Assert.Equal("serve", parsed.CommandResult.Command.Name);
        Assert.Equal(s_ports["http"], parsed.GetValue<int>("--port"));
        Assert.Equal(s_ports["cluster"],
            parsed.GetValue<int?>("--cluster-port") ?? new ClusterOptions { Name = "a" }.Port);
        Assert.Equal("10.0.0.5", parsed.GetValue<string>("--cluster-address"));
        Assert.Equal("status.podIP", Text(Named(List(s_container, "env"), "POD_IP"), "valueFrom", "fieldRef",
            "fieldPath"));
        Assert.Equal(IPAddress.Any.ToString(), parsed.GetValue<string>("--host"));
        // The image of the guide has the tool as its program, and the model where the arguments say.
        Assert.Contains("ENTRYPOINT [\"/tools/s2\"]", s_guide);
        Assert.Contains($"COPY runs/s2 {parsed.GetValue<string>("--model")}\n", s_guide);
    }

    [Fact]
    public void Probes_ask_for_what_the_server_answers()
    {
        string routes = File.ReadAllText(Path.Combine(Repository.Root, "src", "S2ILGPU.Serving",
            "ModelServerRoutes.cs"));
        foreach (string probe in (string[])["startupProbe", "readinessProbe", "livenessProbe"])
        {
            Assert.Contains($"\"{Text(s_container, probe, "httpGet", "path")}\"", routes);
            Assert.Equal("http", Text(s_container, probe, "httpGet", "port"));
        }
    }

    [Fact]
    public void Services_and_policy_choose_the_pods_and_their_ports()
    {
        string app = Text(s_pod, "metadata", "labels", "app");
        Assert.Equal(app, Text(Document("Deployment"), "spec", "selector", "matchLabels", "app"));
        foreach (var service in s_documents.Where(document => Text(document, "kind") == "Service"))
        {
            Assert.Equal(app, Text(service, "spec", "selector", "app"));
            var port = Assert.Single(List(service, "spec", "ports"));
            if (port is YamlMappingNode { Children: var children } && children.ContainsKey("targetPort"))
                Assert.Contains(Text(port, "targetPort"), s_ports.Keys);
            else
                Assert.Contains(int.Parse(Text(port, "port")), s_ports.Values);
        }
        var policy = Document("NetworkPolicy");
        Assert.Equal(app, Text(policy, "spec", "podSelector", "matchLabels", "app"));
        var rules = List(policy, "spec", "ingress").ToDictionary(rule =>
            Text(Assert.Single(List(rule, "ports")), "port"));
        Assert.Equal(s_ports.Keys.Order(), rules.Keys.Order());
        Assert.Equal(app, Text(Assert.Single(List(rules["cluster"], "from")), "podSelector", "matchLabels", "app"));
    }

    [GeneratedRegex(@"\$\((?<name>\w+)\)")]
    private static partial Regex Variable();

    private static YamlMappingNode[] Documents()
    {
        const string Begin = "```yaml\n";
        int start = s_guide.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var stream = new YamlStream();
        stream.Load(new StringReader(s_guide[start..s_guide.IndexOf("```", start, StringComparison.Ordinal)]));
        return [.. stream.Documents.Select(document => (YamlMappingNode)document.RootNode)];
    }

    private static YamlMappingNode Document(string kind) =>
        Assert.Single(s_documents, document => Text(document, "kind") == kind);

    private static YamlNode Named(IEnumerable<YamlNode> nodes, string name) =>
        Assert.Single(nodes, node => Text(node, "name") == name);

    private static YamlNode At(YamlNode node, params string[] path) =>
        path.Aggregate(node, (at, name) => at[name]);

    private static IEnumerable<YamlNode> List(YamlNode node, params string[] path) =>
        ((YamlSequenceNode)At(node, path)).Children;

    private static string Text(YamlNode node, params string[] path) => ((YamlScalarNode)At(node, path)).Value!;
}
