namespace ILGPU;

/// <summary>How exact a device computes; no effect here.</summary>
public enum MathMode
{
    /// <summary>As .NET, as far as the device can.</summary>
    Default,

    /// <summary>The device's fast approximations.</summary>
    Fast,

    /// <summary>Fast, and double becomes float.</summary>
    Fast32BitOnly,
}
