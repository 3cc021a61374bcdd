namespace ILGPU.Runtime.CPU;

/// <summary>The accelerator that executes kernels in the lab.</summary>
public sealed class CPUAccelerator : Accelerator
{
    internal CPUAccelerator(Context context, CPUDevice device, CPUAcceleratorMode mode)
        : base(context, device) => Mode = mode;

    /// <summary>What was asked for.</summary>
    public CPUAcceleratorMode Mode { get; }
}
