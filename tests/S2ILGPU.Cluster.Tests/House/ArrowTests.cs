using S2ILGPU.TestSupport;

namespace S2ILGPU.Cluster.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests() : FolderArrowTests(s_arrows)
{
    // The options are public and so in the root; what reads them may.
    private static readonly FolderArrows s_arrows = new(typeof(ClusterInstance).Assembly, "src/S2ILGPU.Cluster",
        "S2ILGPU.Cluster", new Dictionary<string, string[]>
        {
            [""] = ["Routing", "Lending"],
            ["Routing"] = ["Membership"],
            ["Lending"] = ["Membership"],
            ["Membership"] = ["Hosting", "Planning"],
            ["Hosting"] = ["Wire"],
            ["Planning"] = ["Wire"],
            ["Wire"] = [],
        }, [.. new[] { "Routing.ClusterRouter", "Routing.RemoteRun", "Membership.ClusterSilo", "Membership.SiloStart",
            "Lending.PageCredit", "Lending.PageLoan" }
        .Select(type => ($"S2ILGPU.Cluster.{type}", ""))]);
}
