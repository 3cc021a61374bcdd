using System.Net;
using System.Net.Sockets;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Serving;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>What cannot join says why, in one line, and does not hang.</summary>
public sealed class JoiningTests
{
    [Fact]
    public async Task Another_model_or_configuration_is_refused()
    {
        await using var cluster = new TestCluster();
        await cluster.AddAsync();
        await using var larger = await TestServer.StartAsync(config: TestCluster.Config with { FeedForwardDim = 32 });
        await RefusedAsync(larger.Server, cluster.Options, "another model or configuration");
        await using var otherChunks = await TestServer.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { ChunkTokens = 16 },
        }, TestCluster.Config);
        await RefusedAsync(otherChunks.Server, cluster.Options, "another model or configuration");
        await using var otherDrawing = await TestServer.StartAsync(config: TestCluster.Config,
            generationConfig: "{\"temperature\": 0.5}");
        await RefusedAsync(otherDrawing.Server, cluster.Options, "another model or configuration");
        // The first one goes on, and the refused ones serve alone.
        Assert.Equal(cluster.Alone("Line 5", 20), await cluster.StreamAsync(0, "Line 5", 20));
        Assert.Equal("ok\n", await larger.Client.GetStringAsync("/health"));
    }

    [Fact]
    public async Task Another_cluster_on_the_port_is_refused()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = new TestCluster();
        await cluster.AddAsync();
        await using var server = await TestServer.StartAsync(config: TestCluster.Config);
        await RefusedAsync(server.Server, cluster.Options with { Name = "b", JoinTimeout = TimeSpan.FromSeconds(3) },
            $"port {cluster.Options.Port} is in use, and no instance of the cluster 'b' answers there");
    }

    // Orleans lets two silos open one port.
    [Fact]
    public async Task Instances_that_start_at_once_have_different_ports()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = new TestCluster();
        await Task.WhenAll(cluster.AddAsync(), cluster.AddAsync(), cluster.AddAsync());
        Assert.Equal(3, cluster.Instances.Select(instance => instance.Address).Distinct().Count());
        await cluster.MeetAsync();
        Assert.Equal(cluster.Alone("Line 5", 20), await cluster.StreamAsync(1, "Line 5", 20));
    }

    [Fact]
    public async Task Port_of_another_program_is_refused()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        await using var server = await TestServer.StartAsync();
        await RefusedAsync(server.Server, new ClusterOptions
        {
            Name = "a",
            Port = port,
            JoinTimeout = TimeSpan.FromSeconds(3),
        }, $"port {port} is in use, and no instance of the cluster 'a' answers there");
    }

    [Fact]
    public async Task Store_that_does_not_answer_is_named()
    {
        await using var server = await TestServer.StartAsync();
        server.Server.Pretrained.Model.Dispose(); // weights are not read for it
        await RefusedAsync(server.Server, new ClusterOptions
        {
            Name = "a",
            Store = $"127.0.0.1:{FreePort.Find()},password=secret",
            Address = IPAddress.Loopback,
        }, "the store of the cluster does not answer at 127.0.0.1:");
    }

    [Theory]
    [InlineData("", "the store of the cluster asks for a password, add ,password=... to the connection, at 127.0.0.1:")]
    [InlineData(",password=wrong", "the store of the cluster refuses the password at 127.0.0.1:")]
    public async Task Store_that_refuses_the_password_says_so(string password, string why)
    {
        await using var store = await RedisProcess.StartAsync("--requirepass", "secret");
        await using var server = await TestServer.StartAsync();
        await RefusedAsync(server.Server, new ClusterOptions
        {
            Name = "a",
            Store = store.Address + password,
            Address = IPAddress.Loopback,
        }, why);
    }

    // 192.0.2.0/24 is for documentation, no machine has an address of it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Address_of_another_machine_is_refused(bool hasStore)
    {
        await using var store = hasStore ? await RedisProcess.StartAsync() : null;
        await using var server = await TestServer.StartAsync();
        foreach (int port in (int[])[FreePort.Find(), .. hasStore ? (int[])[0] : []])
            await RefusedAsync(server.Server, new ClusterOptions
            {
                Name = "a",
                Store = store?.Address,
                Port = port,
                Address = IPAddress.Parse("192.0.2.1"),
            }, $"cannot listen for other instances on 192.0.2.1:{port}: ");
    }

    [Fact]
    public void Own_address_is_one_that_other_machines_reach()
    {
        IPAddress[] found = [IPAddress.Parse("127.0.1.1"), IPAddress.Loopback, IPAddress.Parse("192.0.2.7"),
            IPAddress.Parse("192.0.2.8")];
        Assert.Equal(found[2], OwnAddress.Among(found));
        foreach (var none in (IPAddress[][])[[], found[..2]])
            Assert.Equal("this machine's name has no IPv4 address that others reach: name one with --cluster-address",
                Assert.Throws<IOException>(() => OwnAddress.Among(none)).Message);
    }

    [Fact]
    public async Task Wrong_options_are_refused()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var wrong in (ClusterOptions[])
        [
            new() { Name = "" },
            new() { Name = "a", Port = 0 },
            new() { Name = "a", Port = 65536 },
            new() { Name = "a", Lease = TimeSpan.Zero },
            new() { Name = "a", Store = "127.0.0.1:1,nonsense=2", Address = IPAddress.Loopback },
        ])
            await Assert.ThrowsAnyAsync<ArgumentException>(() => ClusterInstance.StartAsync(server.Server, wrong));
    }

    private static async Task RefusedAsync(ModelServer server, ClusterOptions options, string why)
    {
        var refusal = await Assert.ThrowsAsync<IOException>(() => ClusterInstance.StartAsync(server, options));
        Assert.Contains(why, refusal.Message);
        Assert.DoesNotContain('\n', refusal.Message);
        Assert.DoesNotContain("secret", refusal.Message);
    }
}
