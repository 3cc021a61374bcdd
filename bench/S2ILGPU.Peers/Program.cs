using S2ILGPU.Cpu;
using S2ILGPU.Peers;

// dotnet run -c Release --project bench/S2ILGPU.Peers -- torch --quick
string name = "";
try
{
    var options = PeerOptions.Parse(args);
    name = $"{options.Peer}: ";
    if (PeerCatalog.Find(options.Peer) is not { } peer)
        throw new PeerMissingException("this build is without it");
    using var engine = new CpuEngine(new CpuOptions(Threads: options.Threads));
    var report = new PeerReport(options.Peer, engine, options);
    peer(report);
    report.CheckNames();
    Console.Write(options.IsJson ? report.ToJson() : report.ToTable());
    return 0;
}
catch (PeerMissingException missing)
{
    Console.WriteLine($"{name}skipped, {missing.Message}");
    return 0;
}
catch (DisagreementException disagreement)
{
    Console.Error.WriteLine($"{name}{disagreement.Message}");
    return 1;
}
catch (UsageException wrong)
{
    Console.Error.WriteLine(PeerOptions.Usage);
    Console.Error.WriteLine($"{name}{wrong.Message}");
    return 2;
}
