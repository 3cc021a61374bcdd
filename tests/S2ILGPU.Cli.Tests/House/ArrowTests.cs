using S2ILGPU.TestSupport;

namespace S2ILGPU.Cli.Tests.House;

/// <summary>Dependencies between the folders of the tool point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests() : FolderArrowTests(s_arrows)
{
    private static readonly FolderArrows s_arrows = new(typeof(CommandLine).Assembly, "src/S2ILGPU.Cli", "S2ILGPU.Cli",
        new Dictionary<string, string[]>
        {
            [""] = ["Commands"],
            ["Commands"] = ["Bench", "Bench/Device", "Bench/Serving", "Bench/Needle", "Bench/Report", "Verify",
                "Verify/Operations", "Training", "Simulation", "Simulation/Calibration", "Simulation/Serving",
                "Simulation/Tracing", "Design", "Drawing", "Devices", "Json", "Invocation"],
            ["Simulation/Calibration"] = ["Simulation/Serving", "Simulation", "Bench"],
            ["Simulation/Serving"] = ["Simulation", "Bench"],
            ["Simulation"] = ["Simulation/Tracing", "Training", "Drawing"],
            ["Simulation/Tracing"] = ["Training"],
            ["Design"] = [],
            ["Bench/Report"] = ["Bench/Device", "Bench", "Training", "Drawing"],
            ["Bench/Needle"] = ["Bench", "Drawing"],
            ["Bench/Serving"] = ["Bench/Device", "Bench", "Simulation/Tracing"],
            ["Bench/Device"] = ["Bench", "Devices"],
            ["Bench"] = ["Training", "Drawing"],
            ["Verify/Operations"] = ["Verify"],
            ["Verify"] = ["Devices"],
            ["Training"] = ["Devices", "DotNetDocumentation", "Drawing", "Invocation"],
            ["Devices"] = [],
            ["Invocation"] = [],
            ["Drawing"] = [],
            ["DotNetDocumentation"] = [],
            ["Json"] = [],
        });
}
