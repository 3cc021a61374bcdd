namespace ILGPU.Runtime;

/// <summary>What an accelerator is.</summary>
public enum AcceleratorType
{
    /// <summary>The processor. The lab's only kind.</summary>
    CPU,

    /// <summary>An NVIDIA GPU.</summary>
    Cuda,

    /// <summary>An OpenCL device.</summary>
    OpenCL,
}
