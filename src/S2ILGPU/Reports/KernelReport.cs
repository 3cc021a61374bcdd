namespace S2ILGPU.Reports;

/// <summary>What a kernel variant needs on an architecture. Null: the tool that would say is not on the path, or the
/// question does not apply.</summary>
/// <param name="Kernel">Operation.</param>
/// <param name="Variant">Name of the variant.</param>
/// <param name="Architecture">As in <c>sm_80</c>, or <c>opencl</c>.</param>
/// <param name="TensorCore">Whether it uses tensor cores.</param>
/// <param name="Source">The PTX, or the OpenCL C.</param>
/// <param name="Registers">Registers per thread.</param>
/// <param name="SpillBytes">Bytes that spilling stores and loads.</param>
/// <param name="StackBytes">Local memory per thread.</param>
/// <param name="SharedBytes">Shared memory per group, fixed and dynamic.</param>
/// <param name="Loop">Unmasked main loop of a tensor-core kernel.</param>
/// <param name="LocalAccesses">Loads and stores of local memory in the whole kernel.</param>
internal sealed record KernelReport(string Kernel, string Variant, string Architecture, bool TensorCore,
    string Source, int? Registers, int? SpillBytes, int? StackBytes, int? SharedBytes,
    SassLoop? Loop, int? LocalAccesses)
{
    /// <summary>A report of PTX.</summary>
    /// <param name="kernel">Operation.</param>
    /// <param name="variant">Name of the variant.</param>
    /// <param name="architecture">As in <c>sm_80</c>.</param>
    /// <param name="tensorCore">Whether it uses tensor cores.</param>
    /// <param name="ptx">The module.</param>
    /// <param name="dynamicSharedBytes">Dynamic shared memory per group.</param>
    public static KernelReport OfPtx(string kernel, string variant, string architecture, bool tensorCore, string ptx,
        int dynamicSharedBytes)
    {
        var (report, listing) = CudaTools.Assemble(ptx, architecture);
        return new KernelReport(kernel, variant, architecture, tensorCore, ptx, report?.Registers,
            report?.SpillStoreBytes + report?.SpillLoadBytes, report?.StackBytes,
            report?.SharedBytes + dynamicSharedBytes, listing?.MainLoop(), listing?.LocalAccesses);
    }

    /// <summary>A report of OpenCL C, of which only the size is known.</summary>
    public static KernelReport OfOpenCL(string kernel, string variant, string source) =>
        new(kernel, variant, "opencl", false, source, null, null, null, null, null, null);
}
