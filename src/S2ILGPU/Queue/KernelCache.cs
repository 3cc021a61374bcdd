using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Runtime;
using S2ILGPU.Compiler;

namespace S2ILGPU.Queue;

/// <summary>The loaded kernels of an accelerator: each is read from disk or compiled when it is first launched, and
/// kept.</summary>
/// <param name="accelerator">The accelerator; stays with the caller.</param>
/// <param name="store">Compiled kernels of earlier starts.</param>
internal sealed class KernelCache(Accelerator accelerator, KernelStore store)
{
    private readonly Dictionary<MethodInfo, Delegate> _launchers = [];
    private readonly List<KernelRequest> _launched = [];
    private readonly List<(Kernel Kernel, KernelRequest Request)> _loaded = [];

    /// <summary>What the kernels that were loaded so far take of a CUDA device; empty on other devices.</summary>
    public IReadOnlyList<KernelResources> Resources() =>
        [.. _loaded.Select(k => PrimitiveKernels.Resources(k.Kernel, k.Request)).OfType<KernelResources>()];

    /// <summary>The kernels that were launched so far.</summary>
    public IReadOnlyList<KernelRequest> Launched => _launched;

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
        var request = new KernelRequest(kernel.Method);
        var launcher = KernelKey.Of(accelerator, request) is { } key ? Launcher<TArguments>(Load(request, key))
            : DriverLog.Read(kernel.Method, () => accelerator.LoadKernel(kernel));
        _launchers.Add(kernel.Method, launcher);
        _launched.Add(request);
        return launcher;
    }

    private Action<AcceleratorStream, KernelConfig, TArguments> LoadWithPrimitives<TArguments>(MethodInfo method,
        int threads, int sharedBytes) where TArguments : struct
    {
        var request = new KernelRequest(method, threads, sharedBytes, Unroll: true);
        var launcher = KernelKey.Of(accelerator, request) is { } key ? Launcher<TArguments>(Load(request, key))
            : DriverLog.Read(method, () => PrimitiveKernels.Emulate<TArguments>(accelerator, method));
        _launchers.Add(method, launcher);
        _launched.Add(request);
        return launcher;
    }

    private Kernel Load(KernelRequest request, KernelKey key)
    {
        string text = store.Get(key, request.EntryName, () => KernelText.Compile(accelerator.GetBackend(), request));
        var kernel = LoadText(request, text);
        PrimitiveKernels.AllowSharedMemory(kernel, request.SharedBytes);
        _loaded.Add((kernel, request));
        return kernel;
    }

    private Kernel LoadText(KernelRequest request, string text)
    {
        try
        {
            return DriverLog.Read(request.Method, () => KernelText.Load(accelerator, request, text));
        }
        catch (MissingMethodException)
        {
            store.GiveUp("this version of ILGPU does not load PTX that was compiled before; 1.5.3 does");
            return DriverLog.Read(request.Method, () => KernelText.CompileAndLoad(accelerator, request));
        }
    }

    private static Action<AcceleratorStream, KernelConfig, TArguments> Launcher<TArguments>(Kernel kernel)
        where TArguments : struct =>
        kernel.CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TArguments>>();
}
