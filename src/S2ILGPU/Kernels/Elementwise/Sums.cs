using ILGPU;

namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>sum = a + b</c></summary>
internal struct AddOperation : IElementwiseOperation
{
    public ArrayView<float> A, B, Sum;

    public readonly long Count => Sum.Length;

    public readonly void Apply(long index) => Sum[index] = A[index] + B[index];
}

/// <summary><c>accumulator += factor x</c></summary>
internal struct AddScaledOperation : IElementwiseOperation
{
    public ArrayView<float> X, Accumulator;
    public float Factor;

    public readonly long Count => X.Length;

    public readonly void Apply(long index) => Accumulator[index] = Accumulator[index] + Factor * X[index];
}

/// <summary><c>sum_c (+)= sum_i terms_ic</c> in the order of i. terms [Terms, columns].</summary>
internal struct SumOfRowsOperation : IElementwiseOperation
{
    public ArrayView<float> Terms, Sum;
    public int TermRows, Accumulate;

    public readonly long Count => Sum.Length;

    public readonly void Apply(long index)
    {
        float total = 0;
        for (int row = 0; row < TermRows; row++)
            total += Terms[row * Sum.Length + index];
        Sum[index] = Accumulate != 0 ? Sum[index] + total : total;
    }
}
