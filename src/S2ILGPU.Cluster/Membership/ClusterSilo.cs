using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.Serialization;
using S2ILGPU.Cluster.Hosting;
using S2ILGPU.Cluster.Planning;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Serving;
using StackExchange.Redis;

namespace S2ILGPU.Cluster.Membership;

/// <summary>Builds the silo of an instance: its membership, its timings, and how values travel.</summary>
internal static class ClusterSilo
{
    /// <summary>The silo, not started.</summary>
    /// <param name="options">How it joins.</param>
    /// <param name="store">The store; null for instances of this machine.</param>
    /// <param name="port">Its own port.</param>
    /// <param name="runs">What others ask for.</param>
    /// <param name="lending">What others borrow.</param>
    /// <param name="plan">What a plan of the cluster needs to know.</param>
    /// <param name="expulsion">Told when the cluster gave this instance up.</param>
    public static IHost Build(ClusterOptions options, IConnectionMultiplexer? store, int port, HostedRuns runs,
        LendingHost lending, PlanSettings plan, Expulsion expulsion)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.ClearProviders();
        builder.UseOrleans(silo =>
        {
            var address = options.OwnAddress;
            silo.ConfigureEndpoints(address, port, gatewayPort: 0, listenOnAnyHostAddress: false);
            silo.Configure<Orleans.Configuration.ClusterOptions>(cluster =>
                (cluster.ClusterId, cluster.ServiceId) = (options.Name, "s2"));
            if (store is null)
                silo.UseDevelopmentClustering(new IPEndPoint(address, options.Port));
            else
                silo.UseRedisClustering(redis =>
                {
                    redis.ConfigurationOptions = ConfigurationOptions.Parse(options.Store!);
                    redis.CreateMultiplexer = _ => Task.FromResult((store, true));
                });
            Configure(silo, options);
            silo.AddGrainService<InstanceService>();
        });
        builder.Services.AddSerializer(serializer => serializer.AddJsonSerializer(WireJson.Serves, WireJson.Options));
        builder.Services.AddSingleton(runs);
        builder.Services.AddSingleton(lending);
        builder.Services.AddSingleton(plan);
        builder.Services.AddSingleton<InstanceServices>();
        builder.Services.AddSingleton<IFatalErrorHandler>(expulsion);
        builder.Services.AddSingleton<IHostLifetime, OwnerLifetime>();
        return builder.Build();
    }

    // What runs goes on elsewhere as soon as a call fails, so there is no hurry to declare a busy instance dead.
    private static void Configure(ISiloBuilder silo, ClusterOptions options)
    {
        silo.Configure<SiloMessagingOptions>(messages =>
            (messages.ResponseTimeout, messages.SystemResponseTimeout) = (options.CallTimeout, options.CallTimeout));
        silo.Configure<ConnectionOptions>(connections => connections.OpenConnectionTimeout = options.CallTimeout);
        silo.Configure<ClusterMembershipOptions>(membership =>
        {
            membership.ProbeTimeout = TimeSpan.FromSeconds(5);
            membership.NumMissedProbesLimit = 3;
            membership.NumVotesForDeathDeclaration = 2;
            membership.TableRefreshTimeout = TimeSpan.FromSeconds(10);
            membership.MaxJoinAttemptTime = options.JoinTimeout;
            // A new instance waits until it reaches all members whose sign of life is at most 9 s old.
            membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(3);
            membership.NumMissedTableIAmAliveLimit = 3;
        });
    }
}
