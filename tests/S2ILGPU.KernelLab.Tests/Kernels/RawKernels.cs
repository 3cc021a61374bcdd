using ILGPU;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>Accesses by reference and byte offset, one warp each.</summary>
public static partial class RawKernels
{
    /// <summary>Several groups under way; the last copies are cut short and filled with zeros.</summary>
    public static void Pipeline(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(3 * 128);
        int t = Group.IdxX;
        for (int stage = 0; stage < 3; stage++)
        {
            Raw.CopyAsync(ref s[0], (stage * 128 + t * 4) * 4, ref source[0], (stage * 128 + t * 4) * 4, 16, stage < 2 ? 16 : 4 * (t & 3));
            Raw.Commit();
        }
        for (int stage = 0; stage < 3; stage++)
        {
            Raw.Wait(2 - stage);
            for (int i = 0; i < 4; i++)
                target[stage * 128 + t * 4 + i] = s[stage * 128 + t * 4 + i];
        }
    }

    /// <summary>The right number of waits, one group too late.</summary>
    public static void WaitsForTooLittle(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(2 * 32);
        int t = Group.IdxX;
        for (int stage = 0; stage < 2; stage++)
        {
            Raw.CopyAsync(ref s[stage * 32 + t], 0, ref source[stage * 32 + t], 0);
            Raw.Commit();
        }
        Raw.Wait(1);
        target[t] = s[32 + t];
        Raw.WaitAll();
    }

    /// <summary>Uncommitted copies land with WaitAll only.</summary>
    public static void WaitsForAll(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(32);
        int t = Group.IdxX;
        Raw.CopyAsync(ref s[t], 0, ref source[t], 0);
        Raw.WaitAll();
        target[t] = s[t];
    }

    public static void NothingIsReadForZeros(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(32);
        int t = Group.IdxX;
        Raw.CopyAsync(ref s[0], t * 4, ref source[0], 1 << 20, 4, 0);
        Raw.WaitAll();
        target[t] = s[t];
    }

    public static void TooFar(ArrayView<int> source, ArrayView<int> target) => target[0] = Raw.Read<int, int>(ref source[0], source.Length * 4);

    public static void Misaligned(ArrayView<int> source, ArrayView<int> target) => target[0] = (int)Raw.Read<int, long>(ref source[0], 4);

    public static void RacyWrites(ArrayView<int> source, ArrayView<int> target) => Raw.Write<int, int>(ref target[0], Group.IdxX / 2 * 4) = Group.IdxX;

    public static void Adds(ArrayView<int> source, ArrayView<int> target) => Raw.AtomicAdd(ref target[0], 4, 1f);

    /// <summary>Lanes that the group does not have give the default.</summary>
    public static void Gathers(ArrayView<int> source, ArrayView<int> target)
    {
        Span<(long A, int B)> all = stackalloc (long, int)[32];
        Raw.Gather((1L << 40, Group.IdxX + 1), all);
        int sum = 0;
        foreach (var (a, b) in all)
            sum += (int)(a >> 40) * b;
        target[Group.IdxX] = sum;
    }
}
