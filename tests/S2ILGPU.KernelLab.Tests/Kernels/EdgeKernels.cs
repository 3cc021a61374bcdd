using ILGPU;
using ILGPU.Runtime;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>Small kernels at the edges of the rules. Groups have 128 threads unless a test says otherwise.</summary>
public static class EdgeKernels
{
    private const int Threads = 128;

    public static void WarpSynchronised(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        Warp.Barrier();
        d[t] = s[t ^ 1];
    }

    public static void WarpUnsynchronised(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        d[t] = s[t ^ 1];
    }

    public static void ShuffleTakenForAFence(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        int v = Warp.ShuffleXor(t, 1);
        d[t] = s[v];
    }

    public static void FenceTakenForABarrier(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        MemoryFence.GroupLevel();
        d[t] = s[t ^ 1];
    }

    public static void WarpBarrierAcrossWarps(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        Warp.Barrier();
        d[t] = s[t ^ 32];
    }

    public static void GroupsCollide(ArrayView<int> d)
    {
        if (Group.IdxX == 0)
            d[0] = Grid.IdxX + 1;
    }

    public static void GroupsAdd(ArrayView<int> d) => Atomic.Add(ref d[0], 1);

    public static void AtomicAndPlain(ArrayView<int> d)
    {
        if (Group.IdxX == 3)
            d[0] = 77;
        else
            Atomic.Add(ref d[0], 1);
    }

    public static void BytesOfWords(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(32);
        var bytes = s.Cast<byte>();
        bytes[Group.IdxX] = (byte)(Group.IdxX + 1);
        Group.Barrier();
        if (Group.IdxX < 32)
            d[Group.IdxX] = s[Group.IdxX];
    }

    public static void Segments(ArrayView<int> d)
    {
        int t = Group.IdxX;
        d[t] = Warp.ShuffleDown(t, 1, 8) + 1000 * Warp.ShuffleXor(t, 4, 8) + 1000000 * Warp.Shuffle(t, 2, 4);
    }

    /// <summary>48 threads: one and a half warps.</summary>
    public static void HalfWarp(ArrayView<int> d)
    {
        int t = Group.IdxX;
        int v = Warp.ShuffleDown(t, 1);
        d[t] = v + Group.BarrierPopCount(t % 3 == 0) + (Group.BarrierAnd(t < 48) ? 100 : 0) + (Group.BarrierOr(t == 99) ? 1000 : 0);
    }

    public static void EarlyReturn(ArrayView<int> d)
    {
        if (Group.IdxX >= 100)
            return;
        Group.Barrier();
        d[Group.IdxX] = 1;
    }

    public static void HalfOfAWarpMeets(ArrayView<int> d)
    {
        if (Group.IdxX < 16)
            Warp.Barrier();
        Group.Barrier();
        d[Group.IdxX] = 1;
    }

    public static void AddToUninitialised(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        s[Group.IdxX] += 1;
        d[Group.IdxX] = s[Group.IdxX];
    }

    public static void ReferenceOutlivesBarrier(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        ref int r = ref s[t ^ 1];
        s[t] = t;
        Group.Barrier();
        if (t == 4)
            r = -1;
        if (t == 5)
            s[5] = 2;
        Group.Barrier();
        d[t] = s[t];
    }

    public static void HelperCalledTwice(ArrayView<int> d)
    {
        var a = Allocate();
        var b = Allocate();
        int t = Group.IdxX;
        a[t] = 1;
        b[t] = 2;
        Group.Barrier();
        d[t] = a[t ^ 1] + b[t ^ 1];
    }

    public static void DivergentAllocation(ArrayView<int> d)
    {
        var s = Group.IdxX < 16 ? SharedMemory.Allocate<int>(64) : SharedMemory.Allocate<int>(Threads);
        s[Group.IdxX & 15] = 1;
        d[Group.IdxX] = 1;
    }

    public static void EverybodyWritesOne(ArrayView<int> d) => d[0] = 1;

    public static void DynamicElementPerThread(ArrayView<int> d)
    {
        var s = SharedMemory.GetDynamic<int>();
        s[Group.IdxX] = 1;
        d[Group.IdxX] = s[Group.IdxX];
    }

    public static void LocalTooFar(ArrayView<int> d)
    {
        var local = LocalMemory.Allocate<int>(4);
        for (int i = 0; i <= 4; i++)
            local[i] = i;
        d[Group.IdxX] = local[0];
    }

    public static void TooMuchShared(ArrayView<int> d)
    {
        var s = SharedMemory.Allocate<int>(16384);
        s[0] = 1;
        d[0] = s[0];
    }

    public static void Throws(ArrayView<int> d)
    {
        Group.Barrier();
        if (Grid.IdxX == 1 && Group.IdxX == 5)
            d[0] = 1 / d[0];
        Group.Barrier();
    }

    /// <summary>Waits for a thread that cannot run before this one stops.</summary>
    public static void SpinsForAnother(ArrayView<int> d)
    {
        if (Group.IdxX == 0)
        {
            while (d[1] == 0)
                d[2] = 1;
        }
        else
        {
            d[1] = 1;
        }
    }

    public static void WritesPastTheEndByPointer(ArrayView<int> d)
    {
        if (Group.IdxX == 0)
            System.Runtime.CompilerServices.Unsafe.Add(ref d[0], Threads + 3) = 7;
    }

    /// <summary>Butterfly sum of a warp, then one atomic addition per warp.</summary>
    public static void WarpSum(ArrayView<float> x, ArrayView<float> sum)
    {
        float v = x[Grid.IdxX * Threads + Group.IdxX];
        for (int mask = 16; mask > 0; mask >>= 1)
            v += Warp.ShuffleXor(v, mask);
        if (Warp.LaneIdx == 0)
            Atomic.Add(ref sum[0], v);
    }

    public static void Saxpy(Index1D i, ArrayView<float> x, ArrayView<float> y) => y[i] = 2f * x[i] + y[i];

    public static void Barriers(int count)
    {
        for (int i = 0; i < count; i++)
            Group.Barrier();
    }

    private static ArrayView<int> Allocate() => SharedMemory.Allocate<int>(Threads);
}
