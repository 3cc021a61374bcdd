namespace ILGPU.Runtime;

/// <summary>An error that a device reports.</summary>
public abstract class AcceleratorException : Exception
{
    /// <summary>Creates the exception.</summary>
    protected AcceleratorException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened.</param>
    protected AcceleratorException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened.</param>
    /// <param name="innerException">Why.</param>
    protected AcceleratorException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The kind of device.</summary>
    public abstract AcceleratorType AcceleratorType { get; }
}
