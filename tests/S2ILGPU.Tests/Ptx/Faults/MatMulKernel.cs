using ILGPU;

namespace S2ILGPU.Tests.Ptx.Faults;

public struct MatMulArguments
{
    public ArrayView<float> A;
    public ArrayView<float> B;
    public ArrayView<float> C;
    public int Size;
    public Planted Fault;
}

/// <summary>C = A B, square, one 16 x 16 tile per group.</summary>
internal static class MatMulKernel
{
    public const int Tile = 16;

    public static void Run(MatMulArguments p)
    {
        var a = SharedMemory.Allocate<float>(Tile * Tile);
        var b = SharedMemory.Allocate<float>(Tile * Tile);
        int x = Group.IdxX % Tile, y = Group.IdxX / Tile;
        int row = Grid.IdxY * Tile + y, column = Grid.IdxX * Tile + x;
        float sum = 0f;
        for (int k = 0; k < p.Size; k += Tile)
        {
            a[y * Tile + x] = p.A[row * p.Size + k + x]; // Race
            if (p.Fault != Planted.Uninitialised || x < Tile - 1)
                b[y * Tile + x] = p.B[(k + y) * p.Size + column]; // Race
            if (p.Fault == Planted.Divergent && y < 8)
                Group.Barrier(); // Divergent
            else
                Group.Barrier(); // Divergent
            for (int j = 0; j < Tile; j++)
            {
                float left = a[y * Tile + j]; // Race
                sum += left * b[(p.Fault == Planted.Bounds ? j + 1 : j) * Tile + x]; // Bounds, Uninitialised, Race
            }
            if (p.Fault != Planted.Race)
                Group.Barrier();
        }
        p.C[row * p.Size + column] = sum;
    }
}
