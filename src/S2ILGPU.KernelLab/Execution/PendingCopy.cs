namespace S2ILGPU.KernelLab;

/// <summary>An asynchronous copy under way; bytes beyond the source's become zero.</summary>
internal readonly unsafe struct PendingCopy(Allocation? memory, byte* to, byte* from, int bytes, int sourceBytes, Site site)
{
    internal Allocation? Memory { get; } = memory;

    internal byte* To { get; } = to;

    internal byte* From { get; } = from;

    internal int Bytes { get; } = bytes;

    internal int SourceBytes { get; } = sourceBytes;

    internal Site Site { get; } = site;
}
