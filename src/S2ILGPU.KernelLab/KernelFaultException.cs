namespace S2ILGPU.KernelLab;

/// <summary>A kernel did what no thread order allows; the message names kernel, group, thread and source line.</summary>
public sealed class KernelFaultException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened where.</param>
    /// <param name="inner">The exception that the kernel threw, if it threw one.</param>
    public KernelFaultException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
