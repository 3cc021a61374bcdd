using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>An order of work. Here all work is done when the call returns, so streams have nothing to wait for.</summary>
public abstract class AcceleratorStream : AcceleratorObject
{
    private protected AcceleratorStream(Accelerator accelerator)
        : base(accelerator)
    {
    }

    /// <summary>Waits for the stream's work.</summary>
    public abstract void Synchronize();

    /// <summary>Throws if the stream cannot take work for this accelerator.</summary>
    internal void Check(Accelerator accelerator)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (accelerator != Accelerator)
            throw new KernelFaultException("the stream belongs to another accelerator");
    }
}
