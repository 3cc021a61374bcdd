using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace S2ILGPU.Ilgpu;

/// <summary>What is needed of the CUDA driver beyond ILGPU.</summary>
internal static partial class CudaDriver
{
    private const int MaxDynamicSharedSizeBytes = 8, DefaultSharedBytes = 48 * 1024;

    private static readonly object _lock = new();
    private static bool _resolves;

    /// <summary>Lets ILGPU, which asks for <c>libcuda.so</c>, find the driver on systems that have only <c>libcuda.so.1</c>. Call before the first context is made.</summary>
    public static void FindLibrary()
    {
        lock (_lock)
        {
            if (_resolves)
                return;
            _resolves = true;
            SetResolver(typeof(Context).Assembly);
            SetResolver(typeof(CudaDriver).Assembly);
        }
    }

    private static void SetResolver(Assembly assembly)
    {
        try
        {
            NativeLibrary.SetDllImportResolver(assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // an assembly has one resolver, and the program has set its own: it knows where its driver is
        }
    }

    /// <summary>Allows a kernel more than the 48 KB of dynamic shared memory that a launch may ask for by default.</summary>
    public static void AllowSharedMemory(CudaKernel kernel, int sharedBytes)
    {
        if (sharedBytes <= DefaultSharedBytes)
            return;
        int error = cuFuncSetAttribute(kernel.FunctionPtr, MaxDynamicSharedSizeBytes, sharedBytes);
        if (error != 0)
            throw new InvalidOperationException($"CUDA error {error}: the device refuses {sharedBytes} bytes of shared memory.");
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != "cuda" || !OperatingSystem.IsLinux())
            return 0;
        return NativeLibrary.TryLoad("libcuda.so.1", out nint library) || NativeLibrary.TryLoad("libcuda.so", out library) ? library : 0;
    }

    [LibraryImport("cuda")]
    private static partial int cuFuncSetAttribute(nint function, int attribute, int value);
}
