using ILGPU;

namespace S2ILGPU.Kernels.MatMul;

/// <summary><c>C (+)= A B^T</c> where A has few rows: decoding. A [M, K], B [N, K] with adjacent k.</summary>
/// <remarks>A group owns one element of C, a thread every n-th k. The groups of a row of B are neighbours: memory
/// delivers B once, whatever M is. Roofline: memory bandwidth, one read of B; the share was not measured.</remarks>
internal static class DotProducts
{
    public static void Run<TStored>(ProductArguments<TStored> arguments) where TStored : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX % arguments.A.Lanes, column = Grid.IdxX / arguments.A.Lanes;
        long a = arguments.A.Offset + row * arguments.A.Lane, b = arguments.B.Offset + column * arguments.B.Lane;
        partials[Group.IdxX] =
            RowSum.Of(new ProductTerm<TStored> { A = arguments.A.Words, B = arguments.B.Words, FirstA = a, FirstB = b },
            arguments.A.Steps);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        if (Group.IdxX == 0)
            arguments.C.Put(row, column, GroupSum.Total(partials));
    }

    private struct ProductTerm<TStored> : ITerm where TStored : struct, IStoredElement
    {
        public ArrayView<int> A, B;
        public long FirstA, FirstB;

        public readonly float At(int column) =>
            StoredSingle.Load(A, FirstA + column) * TStored.Load(B, FirstB + column);
    }
}
