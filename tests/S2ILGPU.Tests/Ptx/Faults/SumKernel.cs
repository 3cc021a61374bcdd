using ILGPU;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>What is wrong with a kernel. The lines of a kernel that belong to a fault end with its name.</summary>
public enum Planted
{
    Nothing,
    Bounds,
    Uninitialised,
    Divergent,
    Race,
}

public struct SumArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Sums;
    public int Count;
    public Planted Fault;
}

/// <summary>Sums[g] = the sum of the 128 elements of group g: a tree in shared memory.</summary>
internal static class SumKernel
{
    public const int Threads = 128;

    public static void Run(SumArguments a)
    {
        var s = SharedMemory.Allocate<float>(Threads);
        int t = Group.IdxX;
        int i = Grid.IdxX * Threads + t;
        if (a.Fault == Planted.Bounds ? i <= a.Count : i < a.Count)
            s[t] = a.X[i]; // Bounds
        else if (a.Fault != Planted.Uninitialised)
            s[t] = 0f;
        Group.Barrier();
        for (int stride = Threads / 2; stride > 0; stride >>= 1)
        {
            if (t < stride)
            {
                s[t] += s[t + stride]; // Uninitialised, Race
                if (a.Fault == Planted.Divergent)
                    Group.Barrier(); // Divergent
            }
            if (a.Fault != Planted.Divergent && !(a.Fault == Planted.Race && stride == 32))
                Group.Barrier();
        }
        if (t == 0)
            a.Sums[Grid.IdxX] = s[0];
    }
}
