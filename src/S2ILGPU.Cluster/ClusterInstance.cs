using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using S2ILGPU.Cluster.Hosting;
using S2ILGPU.Cluster.Lending;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Planning;
using S2ILGPU.Cluster.Routing;
using S2ILGPU.Serving;
using S2ILGPU.Serving.Routing;
using StackExchange.Redis;

namespace S2ILGPU.Cluster;

/// <summary>A server as an instance of a cluster: its requests run on the instance that keeps their prompt or has the
/// least to do, and what a lost instance ran goes on elsewhere with the same tokens.</summary>
/// <remarks>
/// <para>On the CPU engine a text is the same as of one server alone, wherever it runs and however often it moved; on
/// other engines as <see cref="Scheduling.Scheduler"/> says. Instances with processors of different register widths may
/// differ where two logits are nearly equal.</para>
/// <para>Traffic between instances is neither encrypted nor authenticated: keep it inside a private network.</para>
/// <para>Start it before the server's routes get requests, and dispose it before the server.</para>
/// </remarks>
public sealed class ClusterInstance : IAsyncDisposable
{
    private readonly ModelServer _server;
    private readonly IHost _silo;
    private readonly PortLock _port;
    private readonly IConnectionMultiplexer? _store;
    private readonly HostedRuns _hosted;
    private readonly LendingHost _lending;
    private readonly PageCredit _credit;

    private ClusterInstance(ModelServer server, IHost silo, PortLock port, IConnectionMultiplexer? store,
        HostedRuns hosted, LendingHost lending, PageCredit credit, Expulsion expulsion)
    {
        (_server, _silo, _port, _store, _hosted, Expelled) = (server, silo, port, store, hosted, expulsion.Reason);
        (_lending, _credit) = (lending, credit);
        Services = silo.Services.GetRequiredService<InstanceServices>();
        Address = InstanceServices.NameOf(Services.Self);
    }

    /// <summary>Where the other instances reach this one, as in <c>10.0.0.5:11111</c>; its name in metrics.</summary>
    public string Address { get; }

    /// <summary>Completes with the reason when this instance is no member any more, because the others could not reach
    /// it. The server goes on alone; the process should end and start again.</summary>
    public Task<string> Expelled { get; }

    /// <summary>The members as this one sees them.</summary>
    internal InstanceServices Services { get; }

    /// <summary>Joins a cluster, or begins one.</summary>
    /// <param name="server">Whose requests are placed, and which runs those of others; not disposed.</param>
    /// <param name="options">How to join.</param>
    /// <param name="cancellation">Ends the joining.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="IOException">The store or the first instance does not answer, the store refuses the password,
    /// this machine has no such address, the port is in use, or the cluster serves another model or
    /// configuration.</exception>
    public static async Task<ClusterInstance> StartAsync(ModelServer server, ClusterOptions options,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        options = options with { Address = options.OwnAddress };
        // The store first: the fingerprint reads all weights.
        var store = options.Store is null ? null : await StoreConnection.OpenAsync(options.Store);
        try
        {
            return await JoinAsync(server, options, store, cancellation);
        }
        catch
        {
            if (store is not null)
                await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes no more requests from other instances, and lends no more pages to them.</summary>
    /// <returns>Completes when they have what runs here for them, and have given all pages back.</returns>
    public Task DrainAsync() => Task.WhenAll(_hosted.DrainAsync(), _lending.DrainAsync());

    /// <summary>Leaves the cluster; what runs here for others goes on elsewhere.</summary>
    public async ValueTask DisposeAsync()
    {
        _server.Router = new LocalRouter(_server.Scheduler);
        _server.Scheduler.Credit = null;
        await _credit.DisposeAsync();
        await EndAsync(_silo, _port, _hosted, _lending);
        if (_store is not null)
            await _store.DisposeAsync();
        _server.Lender = null;
    }

    private static async Task<ClusterInstance> JoinAsync(ModelServer server, ClusterOptions options,
        IConnectionMultiplexer? store, CancellationToken cancellation)
    {
        string fingerprint = ModelFingerprint.Of(server.Pretrained, server.Options.Scheduler);
        var expulsion = new Expulsion();
        var hosted = new HostedRuns(server, fingerprint, options.Lease);
        var lending = new LendingHost(server, fingerprint, options.LentBytes);
        var plan = new PlanSettings(options.Lease,
            server.Pretrained.Model.StoredTensors.Sum(stored => stored.Tensor.Count) * sizeof(float));
        IHost? silo = null;
        PortLock? port = null;
        try
        {
            (silo, port) = await SiloStart.StartAsync(
                number => ClusterSilo.Build(options, store, number, hosted, lending, plan, expulsion), options,
                cancellation);
            var instances = silo.Services.GetRequiredService<InstanceServices>();
            await SiloStart.CheckOthersAsync(instances, fingerprint, options);
            server.Router = new ClusterRouter(server, instances, hosted, fingerprint, options);
            var credit = new PageCredit(server, instances,
                silo.Services.GetRequiredService<IGrainFactory>(), lending, fingerprint, options);
            (server.Scheduler.Credit, server.Lender) = (credit, lending.Lender);
            return new ClusterInstance(server, silo, port, store, hosted, lending, credit, expulsion);
        }
        catch
        {
            await EndAsync(silo, port, hosted, lending);
            throw;
        }
    }

    private static async Task EndAsync(IHost? silo, PortLock? port, HostedRuns hosted, LendingHost lending)
    {
        if (silo is not null && port is not null)
            await SiloStart.StopAsync(silo, port);
        hosted.Dispose();
        lending.Dispose();
    }
}
