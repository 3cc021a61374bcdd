using S2ILGPU.TestSupport;

namespace S2ILGPU.Distributed.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests() : FolderArrowTests(s_arrows)
{
    private static readonly FolderArrows s_arrows = new(typeof(RankConnection).Assembly, "src/S2ILGPU.Distributed",
        "S2ILGPU.Distributed", new Dictionary<string, string[]>
        {
            [""] = ["Memory", "Mpi", "Nccl", "Context"],
            ["Memory"] = ["Hosts"],
            ["Mpi"] = ["Hosts"],
            ["Nccl"] = ["Hosts"],
            ["Hosts"] = [],
            ["Context"] = [],
        });
}
