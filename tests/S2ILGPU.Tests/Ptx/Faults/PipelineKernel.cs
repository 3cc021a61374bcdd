using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>What is left out of <see cref="PipelineKernel"/>.</summary>
public enum Missing
{
    Nothing,
    FirstWait,
    FirstBarrier,
    SecondWait,
    SecondBarrier,
    LastWait,
}

#pragma warning disable CS0649 // set as bytes, by KernelArguments
internal struct PipelineArguments
{
    public ArrayView<U4> Source;
    public ArrayView<int> Target;
    public int Stages;
    public Missing Missing;
}
#pragma warning restore CS0649

/// <summary>The synchronization of the attention kernels without their arithmetic: blocks of K and V come by
/// asynchronous copies, with one buffer each, K of the next block while V of this one is used, or with two, whole
/// blocks ahead. Target[g] = the sum over all blocks of K x + V x, x = what the thread reads.</summary>
internal static class PipelineKernel
{
    public const int Threads = 64, Blocks = 3;

    public static void Run(PipelineArguments a)
    {
        int t = Group.IdxX, sum = 0;
        var s = SharedMemory.Allocate<U4>(4 * Threads);
        uint keys = Intrinsics.SharedAddress(ref s[0]) + (uint)t * 16, values = keys + 2 * Threads * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)t * 16;
        Intrinsics.CopyAsync(keys, 0, from, 0, ref s[0], ref a.Source[0]);
        if (a.Stages == 2)
            Intrinsics.CopyAsync(values, 0, from + Blocks * Threads * 16, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        for (int block = 0; block < Blocks; block++)
        {
            uint stage = a.Stages == 2 ? (uint)(block & 1) * Threads * 16 : 0;
            ulong next = (ulong)IntrinsicMath.Min(block + 1, Blocks - 1) * Threads * 16;
            ulong ahead = a.Stages == 2 ? next : (ulong)block * Threads * 16;
            if (a.Missing != Missing.FirstWait)
                Intrinsics.CopyWait0();
            if (a.Missing != Missing.FirstBarrier)
                Group.Barrier();
            uint other = a.Stages == 2 ? Threads * 16 - stage : 0;
            if (a.Stages == 2)
                Intrinsics.CopyAsync(keys + other, 0, from + next, 0, ref s[0], ref a.Source[0]); // copy
            Intrinsics.CopyAsync(values + other, 0, from + Blocks * Threads * 16 + ahead, 0, ref s[0],
                ref a.Source[0]); // copy
            Intrinsics.CopyCommit();
            sum += s.Cast<int>()[(int)stage / 4 + (t ^ 33) * 4]; // read
            if (a.Stages == 1)
            {
                if (a.Missing != Missing.SecondWait)
                    Intrinsics.CopyWait0();
                if (a.Missing != Missing.SecondBarrier)
                    Group.Barrier();
                Intrinsics.CopyAsync(keys, 0, from + next, 0, ref s[0], ref a.Source[0]); // copy
                Intrinsics.CopyCommit();
            }
            sum += s.Cast<int>()[2 * Threads * 4 + (int)stage / 4 + (t ^ 33) * 4]; // read
        }
        if (a.Missing != Missing.LastWait)
            Intrinsics.CopyWait0();
        a.Target[Grid.IdxX * Threads + t] = sum;
    }
}
