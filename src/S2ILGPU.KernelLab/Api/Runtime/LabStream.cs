namespace ILGPU.Runtime;

/// <summary>The only kind of stream here.</summary>
internal sealed class LabStream(Accelerator accelerator) : AcceleratorStream(accelerator)
{
    public override void Synchronize() => ObjectDisposedException.ThrowIf(IsDisposed, this);
}
