using S2ILGPU.Cpu;
using S2ILGPU.Peers;

// dotnet run -c Release --project bench/S2ILGPU.Peers -- torch --quick
if (PeerOptions.Parse(args) is not { } options)
{
    Console.Error.WriteLine(PeerOptions.Usage);
    return 2;
}
if (PeerCatalog.Find(options.Peer) is not { } peer)
{
    Console.WriteLine($"{options.Peer}: skipped, this build is without it");
    return 0;
}
using var engine = new CpuEngine(new CpuOptions(Threads: options.Threads));
var report = new PeerReport(options.Peer, engine, options);
try
{
    peer(report);
}
catch (PeerMissingException missing)
{
    Console.WriteLine($"{options.Peer}: skipped, {missing.Message}");
    return 0;
}
catch (DisagreementException disagreement)
{
    Console.Error.WriteLine($"{options.Peer}: {disagreement.Message}");
    return 1;
}
Console.Write(options.IsJson ? report.ToJson() : report.ToTable());
return 0;
