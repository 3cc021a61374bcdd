using System.Diagnostics;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Package.Tests;

/// <summary>The packages, packed once from the sources, and an empty folder whose projects install them.</summary>
public sealed class Packages : IAsyncLifetime
{
    /// <summary>The version that they are packed with.</summary>
    public const string Version = "0.0.0-test";

    private static readonly string[] s_projects =
    [
        "S2ILGPU.Core", "S2ILGPU", "S2ILGPU.Serving", "S2ILGPU.Cluster", "S2ILGPU.Extensions.AI", "S2ILGPU.Distributed",
        "S2ILGPU.TorchSharp", "S2ILGPU.Templates", "S2ILGPU.Cli",
    ];

    private readonly TemporaryFolder _folder = new();

    /// <summary>The package files.</summary>
    public IEnumerable<string> Files => Directory.EnumerateFiles(_folder["packages"], "*.nupkg");

    /// <inheritdoc />
    public async ValueTask InitializeAsync()
    {
        if (!TestScale.IsFull)
            return;
        _folder.Write("nuget.config", $"""
            <configuration>
              <packageSources>
                <add key="packed" value="packages" />
              </packageSources>
              <fallbackPackageFolders>
                {(Directory.Exists(UserCache) ? $"<add key=\"user\" value=\"{UserCache}\" />" : "")}
              </fallbackPackageFolders>
            </configuration>
            """);
        foreach (string project in s_projects)
            await DotnetAsync("pack", Repository.PathOf("src", project), "--output", _folder["packages"],
                "--artifacts-path", _folder["artifacts"], $"-p:MinVerVersionOverride={Version}");
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Creates a console application.</summary>
    /// <param name="code">Its program.</param>
    /// <param name="package">The package that it installs.</param>
    /// <param name="properties">Further properties of its project, as XML.</param>
    /// <returns>Its folder.</returns>
    public string CreateApplication(string code, string package, string properties = "")
    {
        string name = $"app-{Guid.NewGuid():N}";
        _folder.Write($"{name}/Program.cs", code);
        _folder.Write($"{name}/app.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="{package}" Version="{Version}" />
              </ItemGroup>
            </Project>
            """);
        return _folder[name];
    }

    /// <summary>Installs the tool <c>s2</c>.</summary>
    /// <returns>Its file.</returns>
    public async Task<string> InstallToolAsync()
    {
        string tool = Path.Combine(_folder["tools"], OperatingSystem.IsWindows() ? "s2.exe" : "s2");
        if (!File.Exists(tool))
            await DotnetAsync("tool", "install", "S2ILGPU.Cli", "--version", Version, "--tool-path", _folder["tools"],
                "--configfile", _folder["nuget.config"]);
        return tool;
    }

    /// <summary>Creates a project from a template of ours, which a store apart from the user's holds.</summary>
    /// <param name="template">Short name of the template.</param>
    /// <param name="name">The project's name.</param>
    /// <returns>Its folder.</returns>
    public async Task<string> CreateFromTemplateAsync(string template, string name)
    {
        string[] store = ["--debug:custom-hive", _folder["templates"]];
        if (!Directory.Exists(_folder["templates"]))
            await DotnetAsync(["new", "install",
                Path.Combine(_folder["packages"], $"S2ILGPU.Templates.{Version}.nupkg"), .. store]);
        await DotnetAsync(["new", template, "--output", _folder[name], .. store]);
        return _folder[name];
    }

    /// <summary>Runs <c>dotnet</c>, which must succeed.</summary>
    /// <returns>What it prints.</returns>
    public Task<string> DotnetAsync(params IEnumerable<string> arguments) => RunAsync("dotnet", arguments);

    /// <summary>Runs a program, which must succeed.</summary>
    /// <returns>What it prints.</returns>
    public async Task<string> RunAsync(string program, params IEnumerable<string> arguments)
    {
        using var process = Start(program, arguments);
        var cancellation = TestContext.Current.CancellationToken;
        var error = process.StandardError.ReadToEndAsync(cancellation);
        string output = await process.StandardOutput.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        Assert.True(process.ExitCode == 0,
            $"{program} {string.Join(' ', process.StartInfo.ArgumentList)}:\n{output}{await error}");
        return output;
    }

    /// <summary>Starts a program; the caller ends it.</summary>
    public Process Start(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = _folder.FullPath,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Packages as a release has them, in a cache of their own; no build server that keeps the pipes open.
        start.Environment["CI"] = "true";
        start.Environment["NUGET_PACKAGES"] = _folder["cache"];
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        return Process.Start(start)!;
    }

    private static string UserCache => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
}
