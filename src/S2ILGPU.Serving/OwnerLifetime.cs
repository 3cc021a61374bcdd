using Microsoft.Extensions.Hosting;

namespace S2ILGPU.Serving;

/// <summary>The lifetime of a host that its owner starts and ends, in place of the console's, which would take signals
/// away from the owner of the process.</summary>
internal sealed class OwnerLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
