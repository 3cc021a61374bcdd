using System.Diagnostics;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

/// <summary>The CPU engine on machines with less than this one: 16 registers instead of 32, no fused multiply-add, no
/// SIMD. The runtime pretends, in a process of its own.</summary>
public sealed class SmallerMachineTests
{
    [LongTheory]
    [InlineData("DOTNET_EnableAVX512")]
    [InlineData("DOTNET_EnableAVX2")]
    [InlineData("DOTNET_EnableHWIntrinsic")]
    public async Task The_engine_works_without(string instructions)
    {
        string[] arguments = [typeof(SmallerMachineTests).Assembly.Location, "--filter-namespace",
            "S2ILGPU.Core.Tests.Cpu*"];
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true,
            RedirectStandardError = true };
        start.Environment[instructions] = "0";
        start.Environment["S2_TESTS"] = null;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"without {instructions}:\n{output}\n{await error}");
        Assert.Contains("failed: 0", output);
        Assert.DoesNotContain("total: 0", output);
    }
}
