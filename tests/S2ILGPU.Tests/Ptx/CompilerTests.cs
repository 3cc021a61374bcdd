#if KERNEL_LAB
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Says in the report of a KernelLab build that the tests in folders named Ilgpu are not part of it.</summary>
public sealed class CompilerTests
{
    [Fact(Skip = "KernelLab compiles no kernels: PTX and OpenCL C of the elementwise, row, matmul and optimizer kernels need ILGPU")]
    public void Portable_kernels_compile()
    {
    }

    [Fact(Skip = "KernelLab compiles no kernels: their PTX is executed in builds with ILGPU")]
    public void Portable_kernels_do_in_PTX_what_they_do_in_CSharp()
    {
    }
}
#endif
