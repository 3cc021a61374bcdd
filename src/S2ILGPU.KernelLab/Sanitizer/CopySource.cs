namespace S2ILGPU.KernelLab;

/// <summary>Where an asynchronous copy's bytes come from; zeros follow beyond them.</summary>
internal readonly struct CopySource(long address, int bytes)
{
    /// <summary>No copy, or a granule that is partly copied, partly zeros.</summary>
    internal const long Unknown = 0;
    private const long Zeros = long.MinValue;

    private readonly long _address = address;
    private readonly int _bytes = bytes;

    /// <summary>The source of one granule, equal for two copies when they write the same bytes: the distance from the target, which stays valid for the parts of a granule that is refined.</summary>
    /// <param name="target">Byte offset of the copy's target in its array.</param>
    /// <param name="offset">Byte offset of the granule.</param>
    /// <param name="granule">Its bytes.</param>
    internal long Of(long target, long offset, int granule) =>
        offset - target >= _bytes ? Zeros : offset - target + granule <= _bytes ? _address - target : Unknown;
}
