using S2ILGPU.Compiler;

namespace S2ILGPU.Reports;

/// <summary>Compiles kernels without a device and reports what they need.</summary>
internal static class KernelReports
{
    /// <summary>Reports of a kernel for some architectures. One compilation serves sm_80 and sm_90: ILGPU targets sm_80
    /// for all later ones.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="architectures">As in <see cref="ReportedKernel.Architectures"/>.</param>
    public static IEnumerable<KernelReport> Of(ReportedKernel kernel, IEnumerable<string> architectures)
    {
        string? ampere = null;
        foreach (string architecture in architectures)
            if (architecture == "opencl")
                yield return KernelReport.OfOpenCL(kernel.Kernel, kernel.Variant,
                    OfflineCompiler.OpenCL(kernel.Method, kernel.Threads));
            else
            {
                string ptx = architecture == "sm_75" ? Ptx(kernel, 75) : ampere ??= Ptx(kernel, 80);
                yield return KernelReport.OfPtx(kernel.Kernel, kernel.Variant, architecture, kernel.TensorCore, ptx,
                    kernel.SharedBytes);
            }
    }

    private static string Ptx(ReportedKernel kernel, int architecture) =>
        OfflineCompiler.Ptx(kernel.Method, kernel.Threads, architecture, unroll: kernel.TensorCore);
}
