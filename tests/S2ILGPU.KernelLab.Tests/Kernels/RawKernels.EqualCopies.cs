using ILGPU;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>Several threads copy to the same place.</summary>
public static partial class RawKernels
{
    /// <summary>Every thread of two copies one of two parts of a line, twice, the second time from elsewhere; each waits as soon as it can.</summary>
    public static void EqualCopies(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(8);
        int t = Group.IdxX;
        for (int turn = 0; turn < 2; turn++)
        {
            Raw.CopyAsync(ref s[0], (t & 1) * 16, ref source[0], turn * 32 + (t & 1) * 16, 16, 16);
            Raw.WaitAll();
            Group.Barrier();
            target[t] = s[t & 7];
            Group.Barrier();
        }
    }

    /// <summary>All copies are under way before the first is waited for, which is behind another barrier.</summary>
    public static void EqualCopiesAtOnce(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, 16);
        Raw.Commit();
        Group.Barrier();
        Raw.Wait(0);
        Group.Barrier();
        target[Group.IdxX] = s[Group.IdxX & 3];
    }

    /// <summary>Each half of the first part is one int and a zero; the second part is zeros only, and where those would come from does not matter.</summary>
    public static void EqualZeros(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(8);
        int t = Group.IdxX;
        Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 8, 4);
        Raw.CopyAsync(ref s[0], 8, ref source[0], 0, 8, 4);
        Raw.CopyAsync(ref s[0], 16, ref source[0], t * 16, 16, 0);
        Raw.WaitAll();
        Group.Barrier();
        target[t] = s[t & 7];
    }

    public static void CopiesOfTwoSources(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(8);
        Raw.CopyAsync(ref s[0], 0, ref source[0], Group.IdxX == 7 ? 16 : 0, 16, 16);
        Raw.WaitAll();
        Group.Barrier();
        target[Group.IdxX] = s[Group.IdxX & 3];
    }

    /// <summary>Equal in the first element, then zeros against numbers.</summary>
    public static void CopiesOfTwoLengths(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, Group.IdxX == 7 ? 4 : 16);
        Raw.WaitAll();
        Group.Barrier();
        target[Group.IdxX] = s[Group.IdxX & 3];
    }

    public static void CopiesAndAWrite(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        if (Group.IdxX == 7)
            s[3] = -1;
        else
            Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, 16);
        Raw.WaitAll();
        Group.Barrier();
        target[Group.IdxX] = s[Group.IdxX & 3];
    }

    /// <summary>Each has waited for its own copy, but no barrier has followed.</summary>
    public static void CopiesAndARead(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, 16);
        Raw.WaitAll();
        target[Group.IdxX] = s[3];
    }

    /// <summary>The source may have changed in between.</summary>
    public static void CopiesInTwoIntervals(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        for (int half = 0; half < 2; half++)
        {
            if (Group.IdxX / 32 == half)
                Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, 16);
            Group.Barrier();
        }
        Raw.WaitAll();
        Group.Barrier();
        target[Group.IdxX] = s[Group.IdxX & 3];
    }

    /// <summary>The bytes are there, but one of the copies may still overwrite what comes next.</summary>
    public static void OneDoesNotWait(ArrayView<int> source, ArrayView<int> target)
    {
        var s = SharedMemory.Allocate<int>(4);
        Raw.CopyAsync(ref s[0], 0, ref source[0], 0, 16, 16);
        if (Group.IdxX != 40)
            Raw.WaitAll();
        Group.Barrier();
        if (Group.IdxX < 4)
            s[Group.IdxX] = 0;
    }
}
