namespace S2ILGPU.Native;

/// <summary>What a function of the C interface returns: <c>s2_status</c>.</summary>
internal enum Status
{
    Ok = 0,
    Argument = 1,
    Shape = 2,
    Handle = 3,
    Unsupported = 4,
    Memory = 5,
    Version = 6,
    Internal = 7,
}

/// <summary>A failure whose status is known where it is thrown.</summary>
/// <param name="status">The status.</param>
/// <param name="message">What was wrong, with the values.</param>
internal sealed class StatusException(Status status, string message) : Exception(message)
{
    /// <summary>The status.</summary>
    public Status Status { get; } = status;
}
