using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>The README's examples are programs: each compiles as it stands, and runs where it needs neither
/// a GPU nor libtorch.</summary>
[Collection(nameof(ConsoleOutput))]
public sealed partial class ReadmeTests(ExampleModel model) : IClassFixture<ExampleModel>
{
    // What ImplicitUsings adds to a new console application.
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly MetadataReference[] s_references =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(file => MetadataReference.CreateFromFile(file))];

    public static TheoryData<string> Examples => [.. Readme.Examples.Keys];

    [Theory]
    [MemberData(nameof(Examples))]
    public void Example_compiles_and_runs(string name)
    {
        string code = model.Place(Readme.Examples[name]);
        var program = Compile(code);
        if (!Readme.NeedsMore(code))
            Assert.NotEmpty(ConsoleOutput.Of(program));
    }

    // The web projects of .NET know more namespaces.
    [Theory]
    [InlineData("attention", true)]
    [InlineData("server", false)]
    public void Template_compiles_and_runs(string template, bool runs)
    {
        const string Web = "global using Microsoft.AspNetCore.Builder;\n";
        var program = Compile(Web + File.ReadAllText(
            Repository.PathOf("src", "S2ILGPU.Templates", "templates", template, "Program.cs")));
        if (runs)
            Assert.Contains("every token is read by some head: True", ConsoleOutput.Of(program));
    }

    [Fact]
    public async Task Call_of_curl_is_answered()
    {
        var call = Curl().Match(await File.ReadAllTextAsync(Repository.PathOf("README.md")));
        Assert.True(call.Success, "the README has no call of curl");
        using var response = await model.Server.PostAsync(call.Groups[1].Value, call.Groups[2].Value);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync());
    }

    [GeneratedRegex(@"curl http://127\.0\.0\.1:8080(\S+) .*?-d '([^']+)'", RegexOptions.Singleline)]
    private static partial Regex Curl();

    private static Assembly Compile(string code)
    {
        var options = new CSharpParseOptions(LanguageVersion.Latest);
        var compilation = CSharpCompilation.Create("Example",
            [CSharpSyntaxTree.ParseText(ImplicitUsings, options), CSharpSyntaxTree.ParseText(code, options)],
            s_references, new CSharpCompilationOptions(OutputKind.ConsoleApplication));
        using var assembly = new MemoryStream();
        var errors = compilation.Emit(assembly).Diagnostics.Where(d => d.Severity >= DiagnosticSeverity.Error);
        Assert.Empty(errors.Select(error => error.ToString()));
        return Assembly.Load(assembly.ToArray());
    }
}
