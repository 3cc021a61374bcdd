namespace S2ILGPU.Cpu;

/// <summary>Sizes of the data caches between a core and memory.</summary>
/// <remarks>They decide how much of its operands a kernel takes at a time, so they change speed and no bit of a
/// result.</remarks>
/// <param name="Level1Bytes">The first level, of one core.</param>
/// <param name="Level2Bytes">The second level, of one core or of a few.</param>
/// <param name="LastLevelBytes">The last level before memory, which cores share; the second where there is no
/// third.</param>
public sealed record CacheSizes(int Level1Bytes, int Level2Bytes, int LastLevelBytes)
{
    /// <summary>The caches of this machine, read once: from the processor (x86), otherwise from Linux, otherwise 32 KB,
    /// 512 KB and 8 MB.</summary>
    /// <remarks>Of the core that happens to ask, where cores differ.</remarks>
    public static CacheSizes Machine { get; } = MachineCaches.Read();
}
