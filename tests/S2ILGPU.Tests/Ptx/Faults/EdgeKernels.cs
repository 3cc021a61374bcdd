using ILGPU;

namespace S2ILGPU.Tests.Ptx.Faults;

public struct EdgeArguments
{
    public ArrayView<int> D;
}

/// <summary>Small kernels at the edges of the rules. Groups have 128 threads unless a test says otherwise.</summary>
internal static class EdgeKernels
{
    private const int Threads = 128;

    public static void WarpSynchronised(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        Warp.Barrier();
        a.D[t] = s[t ^ 1];
    }

    public static void WarpUnsynchronised(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        a.D[t] = s[t ^ 1]; // fault
    }

    public static void ShuffleTakenForAFence(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        int other = Warp.ShuffleXor(t, 1);
        a.D[t] = s[other]; // fault
    }

    public static void FenceTakenForABarrier(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        s[t] = t + 1;
        MemoryFence.GroupLevel();
        a.D[t] = s[t ^ 1]; // fault
    }

    public static void WarpBarrierAcrossWarps(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        if (t < 32)
            s[t] = t + 1;
        Warp.Barrier();
        if (t >= 32)
            a.D[t] = s[t & 31]; // fault
    }

    public static void GroupsCollide(EdgeArguments a)
    {
        if (Group.IdxX == 0)
            a.D[0] = Grid.IdxX + 1; // fault
    }

    /// <summary>Each group writes an element that another one reads.</summary>
    public static void GroupsRead(EdgeArguments a)
    {
        if (Group.IdxX == 0)
            a.D[Grid.IdxX] = a.D[(Grid.IdxX + 1) % 3]; // fault
    }

    public static void GroupsAdd(EdgeArguments a) => Atomic.Add(ref a.D[0], 1);

    /// <summary>The last group to come, known by a counter, reads the counter itself without an atomic.</summary>
    public static void CounterReadPlainly(EdgeArguments a)
    {
        if (Group.IdxX == 0)
        {
            Atomic.Add(ref a.D[0], 1); // fault
            a.D[1 + Grid.IdxX] = a.D[0]; // fault
        }
    }

    public static void AtomicAndPlain(EdgeArguments a)
    {
        if (Group.IdxX == 3)
            a.D[0] = 77; // fault
        else
            Atomic.Add(ref a.D[0], 1); // fault
    }

    public static void BytesOfWords(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(32);
        var bytes = s.Cast<byte>();
        bytes[Group.IdxX] = (byte)(Group.IdxX + 1);
        Group.Barrier();
        if (Group.IdxX < 32)
            a.D[Group.IdxX] = s[Group.IdxX];
    }

    /// <summary>Groups write neighbouring bytes of the same words.</summary>
    public static void BytesOfGroups(EdgeArguments a)
    {
        if (Group.IdxX < 32)
            a.D.Cast<byte>()[Group.IdxX * 3 + Grid.IdxX] = (byte)Grid.IdxX;
    }

    public static void Segments(EdgeArguments a)
    {
        int t = Group.IdxX;
        a.D[t] = Warp.ShuffleDown(t, 1, 8) + 1000 * Warp.ShuffleXor(t, 4, 8) + 1000000 * Warp.Shuffle(t, 2, 4);
    }

    /// <summary>48 threads: one and a half warps.</summary>
    public static void HalfWarp(EdgeArguments a)
    {
        int t = Group.IdxX;
        a.D[t] = t + Group.BarrierPopCount(t % 3 == 0) + (Group.BarrierAnd(t < 48) ? 100 : 0)
            + (Group.BarrierOr(t == 99) ? 1000 : 0);
    }

    public static void EarlyReturn(EdgeArguments a)
    {
        if (Group.IdxX >= 100)
            return;
        Group.Barrier(); // fault
        a.D[Group.IdxX] = 1;
    }

    public static void HalfOfAWarpMeets(EdgeArguments a)
    {
        if (Group.IdxX < 16)
            Warp.Barrier(); // fault
        Group.Barrier(); // fault
        a.D[Group.IdxX] = 1;
    }

    public static void AddToUninitialised(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        s[Group.IdxX] += 1; // fault
        a.D[Group.IdxX] = s[Group.IdxX];
    }

    public static void ReferenceOutlivesBarrier(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(Threads);
        int t = Group.IdxX;
        ref int r = ref s[t ^ 1];
        s[t] = t;
        Group.Barrier();
        if (t == 4)
            r = -1; // fault
        if (t == 5)
            s[5] = 2; // fault
        Group.Barrier();
        a.D[t] = s[t];
    }

    public static void HelperCalledTwice(EdgeArguments a)
    {
        var first = Allocate();
        var second = Allocate();
        int t = Group.IdxX;
        first[t] = 1;
        second[t] = 2;
        Group.Barrier();
        a.D[t] = first[t ^ 1] + second[t ^ 1];
    }

    /// <summary>A fault although a device survives it: which of equal values is written last does not matter.</summary>
    public static void EverybodyWritesOne(EdgeArguments a) => a.D[0] = 1; // fault

    public static void DynamicElementPerThread(EdgeArguments a)
    {
        var s = SharedMemory.GetDynamic<int>();
        s[Group.IdxX] = 1; // fault
        a.D[Group.IdxX] = s[Group.IdxX];
    }

    public static void LocalTooFar(EdgeArguments a)
    {
        var local = LocalMemory.Allocate<int>(4);
        for (int i = 0; i < 4 + Group.DimX / Threads; i++)
            local[i] = i; // fault
        a.D[Group.IdxX] = local[Group.IdxX & 3];
    }

    public static void TooMuchShared(EdgeArguments a)
    {
        var s = SharedMemory.Allocate<int>(16384);
        s[Group.IdxX] = 1;
        a.D[Group.IdxX] = s[Group.IdxX];
    }

    /// <summary>Waits for a value that no thread writes.</summary>
    public static void NeverEnds(EdgeArguments a)
    {
        while (Atomic.Add(ref a.D[1], 0) == 0) // fault
            Atomic.Add(ref a.D[2], 1); // fault
    }

    public static void WritesPastTheEnd(EdgeArguments a)
    {
        if (Group.IdxX == 0)
            a.D[Threads + 3] = 7; // fault
    }

    public static void Misaligned(EdgeArguments a) => a.D.SubView(1).Cast<long>()[Group.IdxX] = 1; // fault

    /// <summary>Sum of a warp, then one atomic addition per warp.</summary>
    public static void WarpSum(SumArguments a)
    {
        float v = a.X[Grid.IdxX * Threads + Group.IdxX]; // fault
        for (int mask = 16; mask > 0; mask >>= 1)
            v += Warp.ShuffleXor(v, mask);
        if (Warp.LaneIdx == 0)
            Atomic.Add(ref a.Sums[0], v);
    }

    private static ArrayView<int> Allocate() => SharedMemory.Allocate<int>(Threads);
}
