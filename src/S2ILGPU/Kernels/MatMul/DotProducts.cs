using ILGPU;

namespace S2ILGPU.Kernels.MatMul;

/// <summary><c>C (+)= A B^T + bias + residual</c> where A has few rows: decoding. A [M, K], B [N, K] with adjacent
/// k.</summary>
/// <remarks>A group owns one element of C, a thread every n-th quad of k. The groups of a row of B are neighbours:
/// memory delivers B once, whatever M is. Roofline: memory bandwidth, one read of B; the share was not
/// measured.</remarks>
internal static class DotProducts
{
    public static void Run<TA, TB, TC>(ProductArguments arguments)
        where TA : struct, IStoredElement
        where TB : struct, IStoredElement
        where TC : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX % arguments.A.Lanes, column = Grid.IdxX / arguments.A.Lanes;
        var terms = new ProductTerm<TA, TB>
        {
            A = arguments.A,
            B = arguments.B,
            FirstA = arguments.A.Offset + row * arguments.A.Lane,
            FirstB = arguments.B.Offset + column * arguments.B.Lane,
        };
        partials[Group.IdxX] = RowSum.Of(terms, arguments.A.Steps);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        arguments.C.PutOne<TC>(row, column, GroupSum.Total(partials));
    }

    private struct ProductTerm<TA, TB> : ITerm where TA : struct, IStoredElement where TB : struct, IStoredElement
    {
        public MatrixOperand A, B;
        public long FirstA, FirstB;

        public readonly Quad At(int column) => Quad.Load<TA>(A.Words, FirstA + column, A.Steps - column, A.IsAligned)
            * Quad.Load<TB>(B.Words, FirstB + column, B.Steps - column, B.IsAligned);
    }
}
