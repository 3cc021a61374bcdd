using ILGPU;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>C = A B, square, one 16 x 16 tile per group.</summary>
public readonly struct MatMulKernel(ArrayView<float> a, ArrayView<float> b, ArrayView<float> c, int size)
{
    public const int Tile = 16;
    private readonly ArrayView<float> _a = a;
    private readonly ArrayView<float> _b = b;
    private readonly ArrayView<float> _c = c;
    private readonly int _size = size;

    public static void Run<TFault>(MatMulKernel p)
        where TFault : struct, IFault
    {
        // One line, two arrays: the lab must not take them for one.
        var a = SharedMemory.Allocate<float>(Tile * Tile); var b = SharedMemory.Allocate<float>(Tile * Tile);
        int x = Group.IdxX;
        int y = Group.IdxY;
        int row = Grid.IdxY * Tile + y;
        int column = Grid.IdxX * Tile + x;
        float sum = 0f;
        for (int k = 0; k < p._size; k += Tile)
        {
            a[y * Tile + x] = p._a[row * p._size + k + x];
            if (!TFault.Uninitialised || x < Tile - 1)
                b[y * Tile + x] = p._b[(k + y) * p._size + column];
            if (TFault.Divergent && y < 8)
                Group.Barrier();
            else
                Group.Barrier();
            for (int j = 0; j < Tile; j++)
                sum += a[y * Tile + j] * b[(TFault.Bounds && k > 0 ? j + 1 : j) * Tile + x];
            if (!TFault.Race)
                Group.Barrier();
        }
        p._c[row * p._size + column] = sum;
    }
}
