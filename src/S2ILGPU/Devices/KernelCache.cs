using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace S2ILGPU.Devices;

/// <summary>The loaded kernels of an accelerator: each is compiled when it is first launched and kept.</summary>
/// <param name="accelerator">The accelerator; stays with the caller.</param>
internal sealed class KernelCache(Accelerator accelerator)
{
    private readonly Dictionary<MethodInfo, Delegate> _launchers = [];

    /// <summary>Number of kernels loaded.</summary>
    public int Count => _launchers.Count;

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
}
