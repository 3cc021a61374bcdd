using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary>Argument of <see cref="PartSum"/>.</summary>
internal struct PartSumArguments
{
    /// <summary>[parts, M, quads] of four neighbouring columns each. Read.</summary>
    public ArrayView<F4> Sums;

    /// <summary>C [M, N]. Written.</summary>
    public ResultMatrix C;

    /// <summary>Number of parts.</summary>
    public int Parts;

    /// <summary>Quads of a row, and of a part.</summary>
    public int RowQuads, PartQuads;
}

/// <summary><c>C (+)= sum of the parts + bias + residual</c>, from the first part to the last.</summary>
/// <remarks>A thread owns four columns of a row. Roofline: memory bandwidth, one read of the parts.</remarks>
internal static class PartSum
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>The kernel. Grid: enough groups of <see cref="Threads"/> for the quads of a part.</summary>
    public static void Kernel<TElement>(PartSumArguments a) where TElement : struct, IElement
    {
        int index = Grid.IdxX * Threads + Group.IdxX;
        if (index >= a.PartQuads)
            return;
        F4 sum = default;
        for (int part = 0; part < a.Parts; part++)
        {
            var x = a.Sums[(long)part * a.PartQuads + index];
            sum = new() { X = sum.X + x.X, Y = sum.Y + x.Y, Z = sum.Z + x.Z, W = sum.W + x.W };
        }
        int column = index % a.RowQuads * 4;
        a.C.Put<TElement>(index / a.RowQuads, column, sum, a.C.BiasOf(column));
    }
}
