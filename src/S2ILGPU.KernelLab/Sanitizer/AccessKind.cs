namespace S2ILGPU.KernelLab;

/// <summary>What a thread did to memory.</summary>
internal enum AccessKind : byte
{
    /// <summary>A reference was taken: it was a write if the bytes differ when the thread stops running, else a read.</summary>
    Infer,
    Read,
    Write,
    Atomic,

    /// <summary>An asynchronous copy was issued whose target this is.</summary>
    CopyIssued,

    /// <summary>The thread has waited for that copy.</summary>
    CopyLanded,

    /// <summary>Only the address was of interest.</summary>
    None,
}
