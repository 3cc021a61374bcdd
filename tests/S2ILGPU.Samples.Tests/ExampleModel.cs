using S2ILGPU.Cpu;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>A tiny model and its server, in place of those that the README's examples name.</summary>
public sealed class ExampleModel : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private TestServer? _server;

    internal TestServer Server => _server!;

    /// <inheritdoc />
    public async ValueTask InitializeAsync()
    {
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(_folder["s2"], engine);
        _server = await TestServer.StartAsync(options => options with { ModelName = "s2" });
    }

    /// <summary>An example with this model and server.</summary>
    public string Place(string code) => code
        .Replace(Readme.ModelFolder, _folder["s2"].Replace('\\', '/'), StringComparison.Ordinal)
        .Replace(Readme.Server, Server.Host.Address, StringComparison.Ordinal);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _folder.Dispose();
    }
}
