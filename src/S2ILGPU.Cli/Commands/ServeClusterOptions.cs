using System.CommandLine;
using S2ILGPU.Cluster;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options with which <c>s2 serve</c> joins a cluster.</summary>
internal sealed class ServeClusterOptions
{
    private readonly Option<string?> _name = Options.Text("--cluster", "NAME",
        "Cluster to join or to begin: servers of one name, model and configuration are one service", unset: "none");

    private readonly Option<int?> _port = Options.OptionalNumber<int>("--cluster-port",
        "Port for the other servers of the cluster; without a store that of the first one", least: 0, most: 65535,
        unset: "11111");

    private readonly Option<string?> _store = Options.Text("--cluster-store", "CONNECTION",
        "Redis-compatible store that knows the servers of several machines, as HOST:PORT,password=...",
        unset: "servers of this machine only");

    private readonly Option<string?> _address = Options.Text("--cluster-address", "ADDRESS",
        "Address at which the other servers reach this one", unset: "loopback, with a store this machine's");

    private readonly Option<long?> _lend = Options.OptionalNumber<long>("--cluster-lend-bytes",
        "The most bytes of keys and values that are held for other servers of the cluster; 0 for none", least: 0,
        unset: "all that --cache-bytes leaves free");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_name, _port, _store, _address, _lend])
            command.Add(option);
    }

    /// <summary>What was given; null without a cluster.</summary>
    /// <exception cref="ArgumentException">There are options of a cluster without its name.</exception>
    public ClusterOptions? Read(ParseResult parsed)
    {
        if (parsed.GetValue(_name) is not { } name)
            return (parsed.GetValue(_port), parsed.GetValue(_store), parsed.GetValue(_address), parsed.GetValue(_lend))
                is (null, null, null, null) ? null : throw new ArgumentException("--cluster-port, --cluster-store, "
                    + "--cluster-address and --cluster-lend-bytes need --cluster NAME");
        var options = new ClusterOptions
        {
            Name = name,
            Store = parsed.GetValue(_store),
            LentBytes = parsed.GetValue(_lend),
            Address = NetworkAddress.Parse("--cluster-address", parsed.GetValue(_address)),
        };
        return parsed.GetValue(_port) is { } port ? options with { Port = port } : options;
    }
}
