using System.Diagnostics;
using System.IO.Compression;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Xml.Linq;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Package.Tests;

/// <summary>The packages install into empty applications and run there: as they are, trimmed, and compiled ahead of
/// time.</summary>
public sealed class PackageTests(Packages packages) : IClassFixture<Packages>
{
    // S2ILGPU with its dependencies: what the README says, rounded up.
    private const int LargestApplicationBytes = 6_000_000;

    private const string Attention = """
        using S2ILGPU.Engines;
        using S2ILGPU.Layouts;
        using S2ILGPU.Ops;
        using S2ILGPU.Patterns;

        var layout = BlockLayout.Create(new LocalStridePattern(2, 2, blockTokens: 16, localBlocks: 2), tokens: 100);
        using var engine = Engine.Create(args is [var device] ? device : "auto");
        using var query = engine.FromArray(new float[100 * 2 * 32], 1, 100, 2, 32);
        using var value = engine.FromArray([.. Enumerable.Repeat(1f, 100 * 2 * 32)], 1, 100, 2, 32);
        using var result = SparseAttention.Forward(engine, query, query, value, layout);
        float[] output = engine.ToArray(result.Output);
        Console.WriteLine($"{engine.Name}: {output.Min():0.000} to {output.Max():0.000}");
        """;

    private static readonly string[] s_packedFileTypes =
        [".dll", ".xml", ".pdb", ".json", ".cs", ".csproj", ".md", ".png", ".targets", ".nuspec", ".rels", ".psmdcp"];

    // The tests of the samples run those that need a model.
    public static TheoryData<string> Examples =>
        [.. Readme.Examples.Where(example => !Readme.NeedsModel(example.Value)).Select(example => example.Key)];

    [LongFact]
    public void Packages_hold_no_native_file()
    {
        Assert.Equal(9, packages.Files.Count());
        foreach (string package in packages.Files)
        {
            using var archive = ZipFile.OpenRead(package);
            Assert.All(archive.Entries, entry =>
            {
                Assert.Contains(Path.GetExtension(entry.Name), s_packedFileTypes);
                if (entry.Name.EndsWith(".dll", StringComparison.Ordinal))
                    Assert.True(IsManaged(entry.Open()), $"{package}: {entry.FullName} is native");
            });
        }
    }

    [LongFact]
    public void Packages_say_what_they_are()
    {
        foreach (string package in packages.Files)
        {
            using var archive = ZipFile.OpenRead(package);
            var entry = Assert.Single(archive.Entries, e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal));
            using var stream = entry.Open();
            var metadata = XDocument.Load(stream).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
            string Text(string name) =>
                Assert.Single(metadata.Elements(), e => e.Name.LocalName == name).Value;
            Assert.NotNull(archive.GetEntry(Text("icon")));
            Assert.NotNull(archive.GetEntry(Text("readme")));
            Assert.Equal("MIT", Text("license"));
            Assert.NotEmpty(Text("tags"));
            var repository = Assert.Single(metadata.Elements(), e => e.Name.LocalName == "repository");
            Assert.Equal("git", repository.Attribute("type")?.Value);
        }
    }

    [LongFact]
    public async Task Application_is_small_and_has_no_native_file()
    {
        string folder = packages.CreateApplication(Attention, "S2ILGPU", "<UseAppHost>false</UseAppHost>");
        string[] files = await PublishAsync(folder);
        Assert.Contains(files, file => Path.GetFileName(file) == "ILGPU.dll");
        Assert.All(files.Where(file => Path.GetExtension(file) is not (".json" or ".pdb")), file =>
            Assert.True(IsManaged(File.OpenRead(file)), file));
        Assert.InRange(files.Sum(file => new FileInfo(file).Length), 1, LargestApplicationBytes);
        CheckOutput(await packages.DotnetAsync(Path.Combine(folder, "out", "app.dll")));
    }

    [LongTheory]
    [MemberData(nameof(Examples))]
    public async Task Readme_example_runs(string name)
    {
        // src/S2ILGPU.Core/README.md 1
        string package = name.StartsWith("src/", StringComparison.Ordinal) ? name.Split('/')[1] : "S2ILGPU";
        string code = Readme.Examples[name], folder = packages.CreateApplication(code, package);
        if (Readme.NeedsMore(code))
            await packages.DotnetAsync("build", folder);
        else
            Assert.NotEmpty(await packages.DotnetAsync("run", "--project", folder));
    }

    [LongTheory]
    [InlineData("S2ILGPU.Core", "cpu")]
    [InlineData("S2ILGPU", "ilgpu-cpu")]
    public async Task Runs_trimmed(string package, string device)
    {
        string folder = packages.CreateApplication(Attention, package,
            "<PublishTrimmed>true</PublishTrimmed><TrimmerSingleWarn>false</TrimmerSingleWarn>");
        string output = await PublishForThisMachineAsync(folder);
        CheckWarnings(package, output);
        CheckOutput(await packages.RunAsync(Path.Combine(folder, "out", "app"), device));
    }

    [LongTheory]
    [InlineData("S2ILGPU.Core", "", true)]
    [InlineData("S2ILGPU", "<IlcInstructionSet>native</IlcInstructionSet>", false)]
    public async Task Runs_compiled_ahead_of_time(string package, string properties, bool isWarned)
    {
        Assert.SkipWhen(OperatingSystem.IsLinux() && !IsOnPath("clang") && !IsOnPath("gcc"),
            "needs clang or gcc to link");
        string folder = packages.CreateApplication(Attention, package,
            $"<PublishAot>true</PublishAot><TrimmerSingleWarn>false</TrimmerSingleWarn>{properties}");
        string output = await PublishForThisMachineAsync(folder);
        bool isX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
        Assert.Equal(isWarned && isX64, output.Contains("warning S2AOT001", StringComparison.Ordinal));
        CheckWarnings(package, output);
        CheckOutput(await packages.RunAsync(Path.Combine(folder, "out", "app")));
    }

    [LongFact]
    public async Task Tool_installs_and_lists_devices()
    {
        string tool = await packages.InstallToolAsync();
        Assert.Contains("cpu", await packages.RunAsync(tool, "devices"));
    }

    [LongFact]
    public async Task Template_of_attention_runs()
    {
        string folder = await packages.CreateFromTemplateAsync("s2-attention", "MyAttention");
        Assert.True(File.Exists(Path.Combine(folder, "MyAttention.csproj")));
        string output = await packages.DotnetAsync("run", "--project", folder);
        Assert.Contains("every token is read by some head: True", output);
    }

    [LongFact]
    public async Task Template_of_a_server_answers()
    {
        string folder = await packages.CreateFromTemplateAsync("s2-server", "MyServer");
        string model = Path.Combine(folder, "model"), output = Path.Combine(folder, "out");
        await packages.RunAsync(await packages.InstallToolAsync(), "train", "--preset", "tiny", "--steps", "2",
            "--data", Repository.PathOf("docs"), "--out", model);
        await packages.DotnetAsync("build", folder, "--output", output);
        using var server = packages.Start("dotnet", Path.Combine(output, "MyServer.dll"), model, "--urls",
            "http://127.0.0.1:0");
        try
        {
            using var client = new HttpClient
            {
                BaseAddress = new Uri(await AddressAsync(server)),
                Timeout = Timeout.InfiniteTimeSpan,
            };
            var cancellation = TestContext.Current.CancellationToken;
            Assert.Contains("\"id\":\"model\"", await client.GetStringAsync("/v1/models", cancellation));
            using var response = await client.PostAsync("/v1/completions",
                new StringContent("""{"model": "model", "prompt": "The", "max_tokens": 4}"""), cancellation);
            Assert.Contains("\"completion_tokens\":4", await response.Content.ReadAsStringAsync(cancellation));
        }
        finally
        {
            server.Kill(entireProcessTree: true);
        }
    }

    // What ASP.NET Core writes when it listens.
    private static async Task<string> AddressAsync(Process server)
    {
        const string Listening = "Now listening on: ";
        while (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            if (line.IndexOf(Listening, StringComparison.Ordinal) is var at and >= 0)
                return line[(at + Listening.Length)..].Trim();
        throw new InvalidOperationException(await server.StandardError.ReadToEndAsync());
    }

    private async Task<string[]> PublishAsync(string folder)
    {
        await packages.DotnetAsync("publish", folder, "--output", Path.Combine(folder, "out"));
        return Directory.GetFiles(Path.Combine(folder, "out"), "*", SearchOption.AllDirectories);
    }

    private Task<string> PublishForThisMachineAsync(string folder) =>
        packages.DotnetAsync("publish", folder, "--use-current-runtime", "--output", Path.Combine(folder, "out"));

    // Kernels are found by reflection: trimming keeps them, but warns of S2ILGPU and ILGPU.
    private static void CheckWarnings(string package, string output)
    {
        if (package == "S2ILGPU.Core")
            Assert.DoesNotContain(output.Split('\n'), line => line.Contains("warning IL", StringComparison.Ordinal));
    }

    private static void CheckOutput(string output) => Assert.EndsWith(": 1.000 to 1.000", output.TrimEnd());

    private static bool IsManaged(Stream file)
    {
        using var memory = new MemoryStream();
        using (file)
            file.CopyTo(memory);
        memory.Position = 0;
        using var reader = new PEReader(memory);
        return reader.HasMetadata && reader.PEHeaders.CorHeader!.Flags.HasFlag(CorFlags.ILOnly);
    }

    private static bool IsOnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));
}
