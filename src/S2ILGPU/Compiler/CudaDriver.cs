using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace S2ILGPU.Compiler;

/// <summary>What is needed of the CUDA driver beyond ILGPU.</summary>
internal static partial class CudaDriver
{
    private const int StaticSharedSizeBytes = 1, LocalSizeBytes = 3, Registers = 4, MaxDynamicSharedSizeBytes = 8,
        DefaultSharedBytes = 48 * 1024;

    /// <summary>Where the driver is on Linux, and on the Windows subsystem for Linux.</summary>
    public static string[] LinuxFiles => ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"];

    // An import is resolved per assembly: GpuDevices does it for ILGPU's.
    static CudaDriver() => NativeLibrary.SetDllImportResolver(typeof(CudaDriver).Assembly, Resolve);

    /// <summary>Allows a kernel more than the 48 KB of dynamic shared memory that a launch may ask for by
    /// default.</summary>
    public static void AllowSharedMemory(CudaKernel kernel, int sharedBytes)
    {
        if (sharedBytes <= DefaultSharedBytes)
            return;
        int error = cuFuncSetAttribute(kernel.FunctionPtr, MaxDynamicSharedSizeBytes, sharedBytes);
        if (error != 0)
            throw new InvalidOperationException(
                $"CUDA error {error}: the device refuses {sharedBytes} bytes of shared memory");
    }

    /// <summary>What the driver's compiler made of a kernel; its accelerator must be bound to the thread.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="name">Its name.</param>
    /// <param name="groupThreads">Threads of its groups.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a group.</param>
    public static KernelResources Resources(CudaKernel kernel, string name, int groupThreads, int sharedBytes)
    {
        Check(cuOccupancyMaxActiveBlocksPerMultiprocessor(out int groups, kernel.FunctionPtr, groupThreads,
            (nuint)sharedBytes));
        return new KernelResources(name, Attribute(kernel, Registers), Attribute(kernel, LocalSizeBytes),
            Attribute(kernel, StaticSharedSizeBytes) + sharedBytes, groupThreads, groups);
    }

    private static int Attribute(CudaKernel kernel, int attribute)
    {
        Check(cuFuncGetAttribute(out int value, attribute, kernel.FunctionPtr));
        return value;
    }

    private static void Check(int error)
    {
        if (error != 0)
            throw new InvalidOperationException($"CUDA error {error}: the driver does not describe a kernel");
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        // The driver has the name "cuda" nowhere but on Linux with development packages.
        string[] candidates = name != "cuda" ? [] : OperatingSystem.IsWindows() ? ["nvcuda.dll"] : LinuxFiles;
        foreach (string candidate in candidates)
            if (NativeLibrary.TryLoad(candidate, out nint library))
                return library;
        return 0;
    }

    [LibraryImport("cuda")]
    private static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport("cuda")]
    private static partial int cuFuncGetAttribute(out int value, int attribute, nint function);

    [LibraryImport("cuda")]
    private static partial int cuOccupancyMaxActiveBlocksPerMultiprocessor(out int groups, nint function,
        int groupThreads, nuint dynamicSharedBytes);
}
