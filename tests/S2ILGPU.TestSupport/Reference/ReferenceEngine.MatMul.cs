using S2ILGPU.Engines;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void MatMul(in MatMulArguments arguments)
    {
        var (a, b, c, transposeA, transposeB, accumulate) = arguments;
        Contract.Rank(nameof(MatMul), "C", c, 2);
        Contract.Rank(nameof(MatMul), "A", a, 2);
        int rows = c.Shape[0], columns = c.Shape[1], inner = a.Shape[transposeA ? 0 : 1];
        Contract.Shape(nameof(MatMul), "A", a, transposeA ? [inner, rows] : [rows, inner]);
        Contract.Shape(nameof(MatMul), "B", b, transposeB ? [columns, inner] : [inner, columns]);
        var (bias, residual) = (arguments.Bias, arguments.Residual);
        Contract.Adjacent(nameof(MatMul), a, b, c, residual);
        Contract.Contiguous(nameof(MatMul), bias);
        if (bias is not null)
            Contract.Shape(nameof(MatMul), "bias", bias, columns);
        if (residual is not null)
            Contract.SameShape(nameof(MatMul), c, residual);
        Contract.Require(residual is null || (!accumulate && residual.ElementType == c.ElementType), nameof(MatMul),
            "a residual is of the type of C, which is not added to then");
        var (left, right, product) = (new Elements(a), new Elements(b), new Elements(c));
        for (int m = 0; m < rows; m++)
            for (int n = 0; n < columns; n++)
            {
                double sum = accumulate ? product[m, n] : 0;
                for (int k = 0; k < inner; k++)
                    sum += (transposeA ? left[k, m] : left[m, k]) * (transposeB ? right[n, k] : right[k, n]);
                product[m, n] = sum + (bias is null ? 0 : new Elements(bias)[n])
                    + (residual is null ? 0 : new Elements(residual)[m, n]);
            }
    }
}
