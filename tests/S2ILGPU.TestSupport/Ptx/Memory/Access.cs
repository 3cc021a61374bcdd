namespace S2ILGPU.TestSupport.Ptx;

/// <summary>What an instruction does to memory.</summary>
internal enum Access
{
    Read,
    Write,

    /// <summary>An atomic operation that uses what was there.</summary>
    Update,

    /// <summary>An atomic operation that does not.</summary>
    Exchange,
}

/// <summary>What a kernel may do with an array.</summary>
public enum PtxAccess
{
    /// <summary>It has content; writing it is a fault.</summary>
    Input,

    /// <summary>It has no content: reading what the kernel has not written before is a fault.</summary>
    Output,

    /// <summary>It has content, and may be written.</summary>
    InputOutput,
}
