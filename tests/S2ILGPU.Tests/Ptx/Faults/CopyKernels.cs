using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Tests.Ptx.Faults;

#pragma warning disable CS0649 // set as bytes, by KernelArguments
internal struct CopyArguments
{
    public ArrayView<U4> Source;
    public ArrayView<int> Target;
}
#pragma warning restore CS0649

/// <summary>Asynchronous copies of 16 bytes; several threads copy to the same place.</summary>
internal static class CopyKernels
{
    /// <summary>Two groups of copies under way; the right number of waits.</summary>
    public static void Pipeline(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(2 * 32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyAsync(to, 512, from, 512, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait1();
        int sum = s.Cast<int>()[Group.IdxX * 4];
        Intrinsics.CopyWait0();
        a.Target[Group.IdxX] = sum + s.Cast<int>()[128 + Group.IdxX * 4];
    }

    /// <summary>Waits for one group too little.</summary>
    public static void WaitsForTooLittle(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(2 * 32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyAsync(to, 512, from, 512, ref s[0], ref a.Source[0]); // other
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait1();
        a.Target[Group.IdxX] = s.Cast<int>()[128 + Group.IdxX * 4]; // fault
        Intrinsics.CopyWait0();
    }

    /// <summary>A copy of no bytes reads nothing, wherever it points.</summary>
    public static void NothingIsReadForZeros(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (1ul << 30);
        Intrinsics.CopyAsyncOrZero(to, 0, from, 0, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX * 4];
    }

    /// <summary>Every thread copies one of two parts, twice, the second time from elsewhere; each waits as soon as it
    /// can.</summary>
    public static void EqualCopies(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(2);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)(Group.IdxX & 1) * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)(Group.IdxX & 1) * 16;
        for (int turn = 0; turn < 2; turn++)
        {
            Intrinsics.CopyAsync(to, 0, from + (ulong)turn * 32, 0, ref s[0], ref a.Source[0]);
            Intrinsics.CopyCommit();
            Intrinsics.CopyWait0();
            Group.Barrier();
            a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 7];
            Group.Barrier();
        }
    }

    /// <summary>All copies are under way before the first is waited for, which is behind another barrier.</summary>
    public static void EqualCopiesAtOnce(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        Intrinsics.CopyAsync(to, 0, Intrinsics.GlobalAddress(ref a.Source[0]), 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Group.Barrier();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 3];
    }

    /// <summary>Where zeros would come from does not matter. The first part is one number and zeros.</summary>
    public static void EqualZeros(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(2);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        Intrinsics.CopyAsyncOrZero(to, 0, from, 0, 4, ref s[0], ref a.Source[0]);
        Intrinsics.CopyAsyncOrZero(to, 16, from + (ulong)Group.IdxX * 16, 0, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 7];
    }

    public static void CopiesOfTwoSources(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (Group.IdxX == 7 ? 16ul : 0);
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 3];
    }

    /// <summary>Equal in the first element, then zeros against numbers.</summary>
    public static void CopiesOfTwoLengths(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]), bytes = Group.IdxX == 7 ? 4u : 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        Intrinsics.CopyAsyncOrZero(to, 0, from, 0, bytes, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 3];
    }

    public static void CopiesAndAWrite(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        if (Group.IdxX == 7)
            s.Cast<int>()[3] = -1; // fault
        else
            Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 3];
    }

    /// <summary>Each has waited for its own copy, but no barrier has followed.</summary>
    public static void CopiesAndARead(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        a.Target[Group.IdxX] = s.Cast<int>()[3]; // fault
    }

    /// <summary>The source may have changed in between.</summary>
    public static void CopiesInTwoIntervals(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        for (int half = 0; half < 2; half++)
        {
            if (Group.IdxX / 32 == half)
                Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // fault
            Group.Barrier();
        }
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX & 3];
    }

    /// <summary>The bytes are there, but one of the copies may still overwrite what comes next.</summary>
    public static void OneDoesNotWait(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(1);
        uint to = Intrinsics.SharedAddress(ref s[0]);
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]);
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // other
        Intrinsics.CopyCommit();
        if (Group.IdxX != 40)
            Intrinsics.CopyWait0();
        Group.Barrier();
        if (Group.IdxX < 4)
            s.Cast<int>()[Group.IdxX] = 0; // fault
        Intrinsics.CopyWait0();
    }

    /// <summary>Nothing reads the copies, but shared memory is given to the next group while they arrive.</summary>
    public static void IsNeverWaitedFor(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // other
        Intrinsics.CopyCommit();
        a.Target[Group.IdxX] = 1;
    }

    /// <summary>Copies bytes that nothing uses.</summary>
    public static void NothingButCopies(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]);
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        a.Target[Group.IdxX] = 1;
    }

    public static void TooFar(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 1024, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
    }

    public static void Misaligned(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 8;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // fault
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
    }

    /// <summary>Every thread uses a word.</summary>
    public static void AllIsUsed(CopyArguments a)
    {
        var s = SharedMemory.Allocate<U4>(32);
        uint to = Intrinsics.SharedAddress(ref s[0]) + (uint)Group.IdxX * 16;
        ulong from = Intrinsics.GlobalAddress(ref a.Source[0]) + (ulong)Group.IdxX * 16;
        Intrinsics.CopyAsync(to, 0, from, 0, ref s[0], ref a.Source[0]); // other
        Intrinsics.CopyCommit();
        Intrinsics.CopyWait0();
        Group.Barrier();
        a.Target[Group.IdxX] = s.Cast<int>()[Group.IdxX]; // fault
    }
}
