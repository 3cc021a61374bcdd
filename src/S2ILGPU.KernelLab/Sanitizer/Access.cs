namespace S2ILGPU.KernelLab;

/// <summary>One entry of the <see cref="AccessLog"/>: at most 16 bytes of one array.</summary>
internal unsafe struct Access
{
    internal Allocation Memory;
    internal byte* At;
    internal int Size;
    internal Site Site;
    internal AccessKind Kind;

    /// <summary>Of an asynchronous copy.</summary>
    internal CopySource Source;

    /// <summary>The bytes before the access.</summary>
    internal UInt128 Seen;

    /// <summary>Exchanges memory with what was seen; false if they are equal.</summary>
    internal bool Swap()
    {
        UInt128 now = default;
        Buffer.MemoryCopy(At, &now, 16, Size);
        if (now == Seen)
            return false;
        UInt128 other = Seen;
        Buffer.MemoryCopy(&other, At, Size, Size);
        Seen = now;
        return true;
    }
}
