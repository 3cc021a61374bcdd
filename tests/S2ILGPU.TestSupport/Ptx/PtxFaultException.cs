namespace S2ILGPU.TestSupport.Ptx;

/// <summary>A kernel did what no correct kernel does: the message names the fault, the instruction and the
/// thread.</summary>
public sealed class PtxFaultException : Exception
{
    internal PtxFaultException(string message) : base(message)
    {
    }

    internal PtxFaultException(string message, Exception inner) : base(message, inner)
    {
    }
}
