using S2ILGPU.Cpu;
using S2ILGPU.Engines;

namespace S2ILGPU.Native;

/// <summary>An engine with the lock that lets one call at a time drive it.</summary>
/// <param name="engine">The engine; the slot owns it.</param>
internal sealed class EngineSlot(IEngine engine) : IDisposable
{
    private readonly Lock _lock = new();
    private bool _disposed;
    private CpuEngine? _host;

    /// <summary>What a person calls it.</summary>
    public string Name { get; } = engine.Name;

    /// <summary>Waits for its turn.</summary>
    /// <returns>The engine until the end of the caller's block.</returns>
    /// <exception cref="StatusException">The engine was released meanwhile.</exception>
    public Turn Enter()
    {
        var scope = _lock.EnterScope();
        if (!_disposed)
            return new Turn(scope, this);
        scope.Dispose();
        throw new StatusException(Status.Handle, $"the engine {Name} was released");
    }

    /// <summary>Disposes the engine after the call that is running.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _host?.Dispose();
            engine.Dispose();
        }
    }

    /// <summary>A turn of one call.</summary>
    internal readonly ref struct Turn(Lock.Scope scope, EngineSlot slot)
    {
        private readonly Lock.Scope _scope = scope;

        /// <summary>The engine.</summary>
        public IEngine Engine => slot.Engine;

        /// <summary>The engine that reads and writes the caller's memory: the same on the CPU.</summary>
        public CpuEngine Host => slot.Host;

        public void Dispose() => _scope.Dispose();
    }

    private IEngine Engine => engine;

    private CpuEngine Host => engine as CpuEngine ?? (_host ??= new CpuEngine(new CpuOptions { Threads = 1 }));
}
