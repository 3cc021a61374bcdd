using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>An allocation exceeds what is left of <see cref="Lab.DeviceMemoryBytes"/>. ILGPU's device exceptions have the same base class.</summary>
public sealed class DeviceMemoryException : AcceleratorException
{
    internal DeviceMemoryException(long requested, long used, long limit)
        : base($"out of device memory: {requested:N0} bytes requested, {used:N0} of {limit:N0} bytes in use")
    {
    }

    /// <inheritdoc/>
    public override AcceleratorType AcceleratorType => AcceleratorType.CPU;
}
