using System.Runtime.CompilerServices;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.InnerLoops;

public sealed class RegisterKernelSourceTests
{
    /// <summary>Set S2_UPDATE=1 to rewrite the file after a change of the generator.</summary>
    [Fact]
    public void The_checked_in_kernels_are_what_the_generator_writes()
    {
        string file = Path.Combine(Path.GetDirectoryName(ThisFile())!,
            "../../../../src/S2ILGPU.Core/Cpu/InnerLoops/RegisterKernels.g.cs");
        string source = RegisterKernelSource.Write();
        if (Environment.GetEnvironmentVariable("S2_UPDATE") == "1")
            File.WriteAllText(file, source);
        Assert.Equal(source, File.ReadAllText(file));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
