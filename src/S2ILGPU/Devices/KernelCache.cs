using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Lists;
using S2ILGPU.Variants;

namespace S2ILGPU.Devices;

/// <summary>The loaded kernels of an accelerator: each is compiled when it is first launched and kept.</summary>
/// <param name="accelerator">The accelerator; stays with the caller.</param>
internal sealed class KernelCache(Accelerator accelerator)
{
    private readonly Dictionary<MethodInfo, Delegate> _launchers = [];

    /// <summary>A kernel in plain ILGPU, which every accelerator runs.</summary>
    /// <param name="kernel">A static method, explicitly grouped.</param>
    public Action<AcceleratorStream, KernelConfig, TArguments> Portable<TArguments>(Action<TArguments> kernel)
        where TArguments : struct
    {
        if (_launchers.TryGetValue(kernel.Method, out var known))
            return (Action<AcceleratorStream, KernelConfig, TArguments>)known;
        var launcher = accelerator.LoadKernel(kernel);
        _launchers.Add(kernel.Method, launcher);
        return launcher;
    }

    /// <summary>A kernel that uses the library's own device primitives: tensor cores on CUDA devices, their C# bodies
    /// on emulated ones.</summary>
    /// <param name="method">A static method with one argument, explicitly grouped.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="minGroups">Groups that a multiprocessor must be able to hold; 0 when nothing is asked.</param>
    /// <param name="sharedBytes">Dynamic shared memory in bytes.</param>
    public Action<AcceleratorStream, KernelConfig,
        TArguments> WithPrimitives<TArguments>(MethodInfo method, int threads, int minGroups = 0, int sharedBytes = 0)
        where TArguments : struct
    {
        if (_launchers.TryGetValue(method, out var known))
            return (Action<AcceleratorStream, KernelConfig, TArguments>)known;
        var launcher = PrimitiveKernels.Load<TArguments>(accelerator, method, threads, minGroups, sharedBytes);
        _launchers.Add(method, launcher);
        return launcher;
    }

    /// <summary>A variant of the registry that uses tensor cores.</summary>
    public Action<AcceleratorStream, KernelConfig, TArguments> Variant<TArguments>(KernelVariant variant)
        where TArguments : struct =>
        WithPrimitives<TArguments>(variant.Method, variant.Threads, variant.MinGroups ?? 0, variant.SharedBytes);
}
