using ILGPU;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>sums[g] = the sum of the 128 elements of group g: a tree in shared memory.</summary>
public readonly struct SumKernel(ArrayView<float> x, ArrayView<float> sums, int count)
{
    public const int Threads = 128;
    private readonly ArrayView<float> _x = x;
    private readonly ArrayView<float> _sums = sums;
    private readonly int _count = count;

    public static void Run<TFault>(SumKernel p)
        where TFault : struct, IFault
    {
        var s = SharedMemory.Allocate<float>(Threads);
        int t = Group.IdxX;
        int i = Grid.IdxX * Threads + t;
        if (TFault.Bounds ? i <= p._count : i < p._count)
            s[t] = p._x[i];
        else if (!TFault.Uninitialised)
            s[t] = 0f;
        Group.Barrier();
        for (int stride = Threads / 2; stride > 0; stride >>= 1)
        {
            if (t < stride)
            {
                s[t] += s[t + stride];
                if (TFault.Divergent)
                    Group.Barrier();
            }
            if (!TFault.Divergent && !(TFault.Race && stride == 32))
                Group.Barrier();
        }
        if (t == 0)
            p._sums[Grid.IdxX] = s[0];
    }
}
