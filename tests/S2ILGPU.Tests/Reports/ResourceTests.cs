using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Reports;
using S2ILGPU.TestSupport;
using S2ILGPU.Tests.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Reports;

/// <summary>What the kernels of the launch table need where the table chooses them: registers without spills, and main
/// loops with as many tensor-core products as were measured.</summary>
public sealed class ResourceTests
{
    // Shared memory of a multiprocessor decides what the table chooses.
    private static readonly (string Name, int MultiprocessorKilobytes)[] s_architectures =
        [("sm_80", 164), ("sm_86", 100), ("sm_90", 228)];

    public static TheoryData<string> Families => [.. Sweeps.Resources];

    public static TheoryData<string> Products => [.. Sweeps.ProductResources];

    [Theory]
    [MemberData(nameof(Families))]
    public void Kernels_compile_without_spills(string family)
    {
        Assert.SkipUnless(CudaTools.HasDisassembler, "ptxas and cuobjdump are not on the path");
        Parallel.ForEach(TestScale.Part(KernelCatalog.Members(family), 2), kernel =>
        {
            string ptx = kernel.Kernel.Compile(sourceLines: false);
            foreach (var (architecture, kilobytes) in s_architectures)
                if (KernelCatalog.IsChosen(kernel, kilobytes))
                    Check(kernel, architecture, ptx);
        });
    }

    [Theory]
    [MemberData(nameof(Products))]
    public void Kernels_of_products_compile_without_spills(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        Assert.SkipUnless(CudaTools.HasDisassembler, "ptxas and cuobjdump are not on the path");
        var kernel = ReportedKernel.All.Single(k => k.Variant == name);
        foreach (var report in KernelReports.Of(kernel, kernel.Architectures))
        {
            Assert.True((report.SpillBytes, report.StackBytes, report.LocalAccesses) == (0, 0, 0), $"{report}");
            // products of 64 x 64 per warp, less a little than what ptxas 11.8 gives; TF32 is rounded in the loop
            double least = name.Contains("tf32", StringComparison.Ordinal) ? 0.27 : 0.58;
            if (name.Contains("-128x", StringComparison.Ordinal))
                Assert.True(report.Loop!.TensorShare >= least,
                    $"{name} on {report.Architecture}: {report.Loop.TensorShare:p1} of the main loop are products");
        }
    }

    private static void Check(TestedKernel kernel, string architecture, string ptx)
    {
        var (report, listing) = CudaTools.Assemble(ptx, architecture);
        string what = $"{kernel.Variant.Name} on {architecture}, {report!.Registers} registers; {Seeds.Text}";
        Assert.True((report.SpillStoreBytes, report.SpillLoadBytes, report.StackBytes, listing!.LocalAccesses)
            == (0, 0, 0, 0),
            $"{what}: spills {report.SpillStoreBytes} + {report.SpillLoadBytes}, stack {report.StackBytes} bytes, "
                + $"{listing.LocalAccesses} local accesses");
        if (LeastShare(kernel) is { } least && architecture != "sm_86")
            Assert.True(listing.MainLoop()!.TensorShare >= least,
                $"{what}: {listing.MainLoop()!.TensorShare:p1} of the main loop are tensor-core products, at least "
                + $"{least:p0} are due");
    }

    // Of the unmasked main loop's instructions; what ptxas 11.8 gives, less a little.
    private static double? LeastShare(TestedKernel kernel) =>
        (kernel.Variant.Method.DeclaringType, kernel.HeadDim) switch
    {
        (var type, 128) when type == typeof(Forward) => 0.24,
        (var type, 64) when type == typeof(Forward) => 0.19,
        (var type, 128) when type == typeof(Backward) => 0.38,
        (var type, 64) when type == typeof(Backward) => 0.29,
        _ => null,
    };
}
