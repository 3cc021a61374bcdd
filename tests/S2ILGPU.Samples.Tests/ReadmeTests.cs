using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>The README's examples are programs: each compiles as it stands, and runs where it needs no GPU.</summary>
[Collection(nameof(ConsoleOutput))]
public sealed class ReadmeTests
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
        string code = Readme.Examples[name];
        var program = Compile(code);
        if (!Readme.NeedsGpu(code))
            Assert.NotEmpty(ConsoleOutput.Of(program));
    }

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
