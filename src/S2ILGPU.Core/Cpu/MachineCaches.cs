using System.Globalization;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu;

/// <summary>Asks the machine for the sizes of its caches.</summary>
internal static class MachineCaches
{
    private const string LinuxFolder = "/sys/devices/system/cpu/cpu0/cache";

    // Virtual machines report sizes of 0, or of what the whole host has.
    private const long LargestBytes = 1L << 30;

    private const int Extended = unchecked((int)0x80000000);

    // No processor has as many caches; ends the list of a processor that never ends it itself.
    private const int MostCaches = 16;

    /// <summary>What is assumed where the machine does not say: common sizes, not large ones. A block that is too small
    /// costs little, one that does not fit costs much.</summary>
    public static CacheSizes Default => new(32 << 10, 512 << 10, 8 << 20);

    /// <summary>Registers (eax, ebx, ecx, edx) of the instruction cpuid for a leaf and a subleaf.</summary>
    public delegate (int Eax, int Ebx, int Ecx, int Edx) CpuId(int leaf, int subleaf);

    /// <summary>The caches of this machine.</summary>
    public static CacheSizes Read() =>
        (X86Base.IsSupported ? OfProcessor(X86Base.CpuId) : null) ?? OfFolder(LinuxFolder) ?? Default;

    /// <summary>The caches that a processor reports; null where it reports none.</summary>
    public static CacheSizes? OfProcessor(CpuId cpuid)
    {
        const int DataOrUnified = 0b1010; // types 1 and 3; 2 is for instructions
        var caches = new List<(int Level, long Bytes)>();
        int leaf = CacheLeaf(cpuid);
        for (int index = 0; leaf != 0 && index < MostCaches; index++)
        {
            var (eax, ebx, ecx, _) = cpuid(leaf, index);
            int type = eax & 0x1F, level = eax >> 5 & 7;
            if (type == 0)
                break;
            long ways = (ebx >>> 22) + 1, partitions = (ebx >> 12 & 0x3FF) + 1, lineBytes = (ebx & 0xFFF) + 1;
            if ((DataOrUnified >> type & 1) != 0)
                caches.Add((level, ways * partitions * lineBytes * ((uint)ecx + 1L)));
        }
        return Of(caches.Count > 0 ? caches : OldLeaves(cpuid));
    }

    /// <summary>The caches in a folder that Linux fills, <c>index*/{level,type,size}</c>; null where there are
    /// none.</summary>
    public static CacheSizes? OfFolder(string folder)
    {
        var caches = new List<(int Level, long Bytes)>();
        try
        {
            foreach (string cache in Directory.Exists(folder) ? Directory.GetDirectories(folder, "index*") : [])
                if (Text(cache, "type") != "Instruction" && int.TryParse(Text(cache, "level"), out int level))
                    caches.Add((level, Bytes(Text(cache, "size"))));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // a container may hide it
        }
        return Of(caches);

        static string Text(string cache, string file) => File.ReadAllText(Path.Combine(cache, file)).Trim();
    }

    // Intel describes caches in leaf 4 and AMD, with the same fields, in 0x8000001D. Leaf 4 is 0 on AMD; Intel's
    // extended leaves end before.
    private static int CacheLeaf(CpuId cpuid)
    {
        const int Leaf = 4, ExtendedLeaf = unchecked((int)0x8000001D);
        const int TopologyExtensions = 1 << 22;
        if ((uint)cpuid(Extended, 0).Eax >= unchecked((uint)ExtendedLeaf)
            && (cpuid(Extended + 1, 0).Ecx & TopologyExtensions) != 0)
            return ExtendedLeaf;
        return (uint)cpuid(0, 0).Eax >= Leaf ? Leaf : 0;
    }

    // The first two levels of a core, in KB, as AMD has described them before: some virtual machines leave out the
    // newer leaf only. The third level, which is that of the whole processor, is left open.
    private static List<(int Level, long Bytes)> OldLeaves(CpuId cpuid)
    {
        const int Level1 = unchecked((int)0x80000005), Level2 = unchecked((int)0x80000006);
        if ((uint)cpuid(Extended, 0).Eax < unchecked((uint)Level2))
            return [];
        int level1 = cpuid(Level1, 0).Ecx >>> 24, level2 = cpuid(Level2, 0).Ecx >>> 16;
        return level1 is > 0 and < 0xFF && level2 is > 0 and < 0xFFFF
            ? [(1, level1 << 10), (2, level2 << 10), (3, 0)] : [];
    }

    // As in 512K; 0 for anything else.
    private static long Bytes(string text)
    {
        int unit = text.Length == 0 ? -1 : "KMG".IndexOf(text[^1]);
        return long.TryParse(unit < 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture,
            out long number) && number <= LargestBytes ? number << (10 * (unit + 1)) : 0;
    }

    private static CacheSizes? Of(List<(int Level, long Bytes)> caches)
    {
        if (caches.Count == 0)
            return null;
        int last = Math.Max(2, caches.Max(c => c.Level));
        return new CacheSizes(Level(1, Default.Level1Bytes), Level(2, Default.Level2Bytes),
            Level(last, Default.LastLevelBytes));

        int Level(int level, int otherwise)
        {
            long bytes = caches.Find(c => c.Level == level).Bytes;
            return bytes is > 0 and <= LargestBytes ? (int)bytes : otherwise;
        }
    }
}
