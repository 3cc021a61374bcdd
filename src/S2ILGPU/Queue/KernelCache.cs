using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Compiler;

namespace S2ILGPU.Queue;

/// <summary>The loaded kernels of an accelerator: each is compiled when it is first launched and kept.</summary>
/// <param name="accelerator">The accelerator; stays with the caller.</param>
internal sealed class KernelCache(Accelerator accelerator)
{
    private readonly Dictionary<MethodInfo, Delegate> _launchers = [];

    /// <summary>A kernel in plain ILGPU, which every accelerator runs.</summary>
    /// <param name="kernel">A static method, explicitly grouped.</param>
    public Action<AcceleratorStream, KernelConfig, TArguments> Portable<TArguments>(Action<TArguments> kernel)
        where TArguments : struct =>
        _launchers.TryGetValue(kernel.Method, out var known)
            ? (Action<AcceleratorStream, KernelConfig, TArguments>)known : LoadPortable(kernel);

    /// <summary>A kernel that uses the library's own device primitives: tensor cores on CUDA devices, their C# bodies
    /// on emulated ones.</summary>
    /// <param name="method">A static method with one argument, explicitly grouped.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="sharedBytes">Dynamic shared memory in bytes.</param>
    public Action<AcceleratorStream, KernelConfig, TArguments> WithPrimitives<TArguments>(MethodInfo method,
        int threads, int sharedBytes) where TArguments : struct =>
        _launchers.TryGetValue(method, out var known)
            ? (Action<AcceleratorStream, KernelConfig, TArguments>)known
            : LoadWithPrimitives<TArguments>(method, threads, sharedBytes);

    private Action<AcceleratorStream, KernelConfig, TArguments> LoadPortable<TArguments>(Action<TArguments> kernel)
        where TArguments : struct
    {
        var launcher = DriverLog.Read(kernel.Method, () => accelerator.LoadKernel(kernel));
        _launchers.Add(kernel.Method, launcher);
        return launcher;
    }

    private Action<AcceleratorStream, KernelConfig, TArguments> LoadWithPrimitives<TArguments>(MethodInfo method,
        int threads, int sharedBytes) where TArguments : struct
    {
        var launcher = DriverLog.Read(method,
            () => PrimitiveKernels.Load<TArguments>(accelerator, method, threads, sharedBytes));
        _launchers.Add(method, launcher);
        return launcher;
    }
}
