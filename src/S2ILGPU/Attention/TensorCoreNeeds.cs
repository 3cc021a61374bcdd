using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>What tensor-core kernels need of a device and its context.</summary>
internal static class TensorCoreNeeds
{
    private const string Portable = "attention runs on portable kernels in single precision: ";

    // As in "8.0".
    private static readonly string s_least = Capability(KernelVariants.LeastArchitecture);

    /// <summary>One sentence with what keeps a device from tensor-core kernels, and what would avoid it; null when it
    /// runs them.</summary>
    /// <param name="device">The device.</param>
    /// <param name="knowsPrimitives">Whether the context was taught the library's device primitives.</param>
    /// <param name="mayUse">Whether tensor cores may be used; not on the device for tests of portable kernels.</param>
    public static string? Missing(Device device, bool knowsPrimitives, bool mayUse)
    {
        bool isEmulated = device.AcceleratorType == AcceleratorType.CPU;
        if (isEmulated && !mayUse)
            return Portable + "ilgpu-cpu is there to test those; tensor-core kernels need a CUDA device of compute "
                + $"capability {s_least} or later, and without a GPU the device cpu is much faster";
        if (isEmulated && !CanEmulate(device))
            return Portable + "a CPU device emulates tensor cores with one multiprocessor, warps of 32 and groups of "
                + $"{KernelVariants.MaxThreads} threads, as CPUDevice(32, {KernelVariants.MaxThreads / 32}, 1)";
        int architecture = PrimitiveKernels.Architecture(device);
        if (!isEmulated && architecture < KernelVariants.LeastArchitecture)
            return Portable + $"tensor-core kernels need a CUDA device of compute capability {s_least} or later, and "
                + $"{device.Name} is " + (architecture == 0 ? "an OpenCL device; the same GPU may be listed as cuda:N"
                : $"one of {Capability(architecture)}");
        if (!knowsPrimitives || !mayUse)
            return Portable + "the ILGPU context does not know the instructions of tensor cores; build it with "
                + $"{nameof(IlgpuContexts.WithTensorCores)}()";
        return null;
    }

    // The C# bodies of the primitives exchange values through memory of one group at a time, between the 32 lanes of
    // its warps.
    private static bool CanEmulate(Device device) =>
        device is { NumMultiprocessors: 1, WarpSize: 32, MaxNumThreadsPerGroup: >= KernelVariants.MaxThreads };

    private static string Capability(int architecture) => $"{architecture / 10}.{architecture % 10}";
}
