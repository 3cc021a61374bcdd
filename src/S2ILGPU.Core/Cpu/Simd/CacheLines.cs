using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu.Simd;

/// <summary>The pieces in which caches take memory.</summary>
internal static unsafe class CacheLines
{
    /// <summary>Bytes of one.</summary>
    public const int Bytes = 64;

    /// <summary>Asks for memory before it is read.</summary>
    /// <param name="start">Address of the first byte.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="level">Cache that they shall reach: 1 or 2.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* start, int bytes, int level)
    {
        for (int at = 0; Sse.IsSupported && at < bytes; at += Bytes)
        {
            if (level == 1)
                Sse.Prefetch0(start + at);
            else
                Sse.Prefetch1(start + at);
        }
    }
}
