using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace S2ILGPU.Compiler;

/// <summary>Loads kernels that use the library's device primitives.</summary>
internal static class PrimitiveKernels
{
    // The C# bodies exchange values between lanes through memory that all accelerators of the process share.
    private static readonly Lock s_oneLaunchAtATime = new();

    /// <summary>Compiles a kernel with its loops unrolled and allows its dynamic shared memory (CUDA), or takes the
    /// method itself (CPU accelerator).</summary>
    public static Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Accelerator accelerator,
        MethodInfo method, int threads, int sharedBytes) where TArguments : struct
    {
        if (accelerator is not CudaAccelerator cuda)
        {
            var launch = accelerator.LoadKernel(method.CreateDelegate<Action<TArguments>>());
            return (stream, config, arguments) =>
            {
                lock (s_oneLaunchAtATime)
                    launch(stream, config, arguments);
            };
        }
        var compiled = cuda.Backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(method),
            new KernelSpecialization(threads, null), new UnrollLoops());
        var kernel = (CudaKernel)cuda.LoadKernel(compiled);
        cuda.Bind();
        CudaDriver.AllowSharedMemory(kernel, sharedBytes);
        return kernel.CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TArguments>>();
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
