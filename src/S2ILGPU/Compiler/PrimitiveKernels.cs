using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace S2ILGPU.Compiler;

/// <summary>Loads kernels that use the library's device primitives.</summary>
internal static class PrimitiveKernels
{
    // The C# bodies exchange values between lanes through memory that all accelerators of the process share.
    private static readonly Lock s_oneLaunchAtATime = new();

    /// <summary>Takes the C# of a kernel on a CPU accelerator.</summary>
    public static Action<AcceleratorStream, KernelConfig, TArguments> Emulate<TArguments>(Accelerator accelerator,
        MethodInfo method) where TArguments : struct
    {
        var launch = accelerator.LoadKernel(method.CreateDelegate<Action<TArguments>>());
        return (stream, config, arguments) =>
        {
            lock (s_oneLaunchAtATime)
                launch(stream, config, arguments);
        };
    }

    /// <summary>Allows a loaded kernel its dynamic shared memory.</summary>
    public static void AllowSharedMemory(Kernel kernel, int sharedBytes)
    {
        if (kernel is not CudaKernel cuda)
            return;
        kernel.Accelerator.Bind();
        CudaDriver.AllowSharedMemory(cuda, sharedBytes);
    }

    /// <summary>What a loaded kernel takes of a CUDA device; null on other devices.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="request">What was compiled. Where it names no number of threads, occupancy is asked for groups of
    /// 128.</param>
    public static KernelResources? Resources(Kernel kernel, KernelRequest request)
    {
        const int PortableThreads = 128;
        if (kernel is not CudaKernel cuda)
            return null;
        kernel.Accelerator.Bind();
        return CudaDriver.Resources(cuda, KernelRequest.NameOf(request.Method),
            request.Threads > 0 ? request.Threads : PortableThreads, request.SharedBytes);
    }

    /// <summary>Architecture of a CUDA device, as in 90 for sm_90; 0 for other devices.</summary>
    public static int Architecture(Device device) =>
        device is CudaDevice { Architecture: { } architecture } ? architecture.Major * 10 + architecture.Minor : 0;

    /// <summary>Shared memory of a multiprocessor of a CUDA device in KB: 228 of an H100, 164 of an A100, 100 of
    /// consumer GPUs; 0 for other devices.</summary>
    // ILGPU does not ask the driver for it
    public static int MultiprocessorKilobytes(Device device) => Architecture(device) switch
    {
        0 => 0,
        80 or 87 => 164,
        >= 90 and < 120 => 228,
        _ => 100,
    };
}
