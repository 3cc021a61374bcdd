namespace ILGPU.Runtime.CPU;

/// <summary>How ILGPU's CPU accelerator runs threads; no effect here, where <see cref="S2ILGPU.KernelLab.LabSession.Mode"/> decides.</summary>
public enum CPUAcceleratorMode
{
    /// <summary>Sequential under a debugger, else parallel.</summary>
    Auto = 0,

    /// <summary>One after another.</summary>
    Sequential = 1,

    /// <summary>At once.</summary>
    Parallel = 2,
}
