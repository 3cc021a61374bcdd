using ILGPU.Util;

namespace ILGPU.Runtime;

/// <summary>What belongs to an accelerator.</summary>
public abstract class AcceleratorObject : DisposeBase
{
    private protected AcceleratorObject(Accelerator accelerator) => Accelerator = accelerator;

    /// <summary>The accelerator.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>Its kind.</summary>
    public AcceleratorType AcceleratorType => Accelerator.AcceleratorType;
}
