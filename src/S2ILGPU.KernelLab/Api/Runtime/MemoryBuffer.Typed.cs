namespace ILGPU.Runtime;

/// <summary>Device memory with a view of it.</summary>
/// <typeparam name="TView">The view's type.</typeparam>
public abstract class MemoryBuffer<TView> : MemoryBuffer, IContiguousArrayView
    where TView : struct, IContiguousArrayView
{
    private protected MemoryBuffer(Accelerator accelerator, long length, int elementSize, string name)
        : base(accelerator, length, elementSize, name)
    {
    }

    /// <summary>All elements.</summary>
    public TView View { get; private protected init; }

    /// <summary>Whether it has not been disposed.</summary>
    public bool IsValid => !IsDisposed;

    MemoryBuffer IArrayView.Buffer => this;

    long IContiguousArrayView.Index => 0;

    long IContiguousArrayView.IndexInBytes => 0;

    /// <summary>All elements.</summary>
    /// <param name="buffer">The buffer.</param>
    public static implicit operator TView(MemoryBuffer<TView> buffer) => buffer.View;

    /// <summary>All elements.</summary>
    /// <returns>The view.</returns>
    public TView ToArrayView() => View;
}
