using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.MatMul;

/// <summary>Products whose first rows do not depend on the number of rows.</summary>
public sealed class FewRowsTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void Few_rows_have_the_bits_of_single_rows_and_the_rest_those_of_the_rest_alone()
    {
        foreach (var simd in SimdWidths.Available)
            foreach (var type in (ElementType[])[ElementType.Float32, ElementType.BFloat16])
                for (int n = 0; n < 6; n++)
                {
                    using var engine = CpuEngines.Create(simd, _random.Next(1, 4));
                    int rows = _random.Next(1, 50), few = _random.Next(rows + 1), columns = _random.Next(1, 70),
                        steps = _random.Next(1, 90);
                    using Tensor a = engine.FromArray(Values(rows * steps), rows, steps),
                        b = engine.Allocate(new Shape(columns, steps), type);
                    engine.Upload(Values(columns * steps), b);
                    float[] actual = Multiply(engine, a, b, few);
                    for (int row = 0; row < rows; row = row < few ? row + 1 : rows)
                    {
                        int count = row < few ? 1 : rows - few;
                        using var part = a.Slice(0, row, count);
                        Assert.True(Multiply(engine, part, b, 0).AsSpan()
                            .SequenceEqual(actual.AsSpan(row * columns, count * columns)),
                            $"{simd}, {type}, row {row} of {rows}, {few} few, {columns} columns, {steps} steps");
                    }
                }
    }

    private static float[] Multiply(IEngine engine, Tensor a, Tensor b, int few)
    {
        using var c = engine.Allocate(new Shape(a.Shape[0], b.Shape[0]), ElementType.Float32);
        engine.MatMul(new MatMulArguments(a, b, c, TransposeB: true) { FewRows = few });
        return engine.ToArray(c);
    }

    private float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.NextSingle() - 0.5f)];
}
