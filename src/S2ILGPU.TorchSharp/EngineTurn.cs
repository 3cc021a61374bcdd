using System.Runtime.CompilerServices;
using S2ILGPU.Cpu;

namespace S2ILGPU.TorchSharp;

/// <summary>A turn of one call at an engine, which one thread at a time may drive, with the views of that
/// call.</summary>
internal readonly ref struct EngineTurn
{
    private static readonly Lazy<CpuEngine> s_default = new();
    private static readonly ConditionalWeakTable<CpuEngine, Lock> s_locks = [];

    private readonly List<IDisposable> _views = [];
    private readonly Lock.Scope _scope;

    /// <summary>Waits until no other thread drives the engine.</summary>
    /// <param name="engine">The engine; null for that of the process, with all processors.</param>
    public EngineTurn(CpuEngine? engine)
    {
        Engine = engine ?? s_default.Value;
        _scope = s_locks.GetOrCreateValue(Engine).EnterScope();
    }

    /// <summary>The engine.</summary>
    public CpuEngine Engine { get; }

    /// <summary>The memory of a tensor, which lives through the turn.</summary>
    public Tensors.Tensor View(global::TorchSharp.torch.Tensor tensor)
    {
        var view = TorchTensors.View(tensor);
        _views.Add(view);
        return view;
    }

    /// <summary>Ends the views and the turn.</summary>
    public void Dispose()
    {
        foreach (var view in _views)
            view.Dispose();
        _scope.Dispose();
    }
}
