using S2ILGPU.Tensors;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.MatMul;

/// <summary>Which kernel a device gets for a product.</summary>
public sealed class MatMulLaunchTableTests
{
    private static readonly (int Kilobytes, int Multiprocessors)[] s_devices = [(228, 132), (164, 108), (100, 82)];

    [Theory]
    [InlineData(8192, 8192, 4096, 228, 132, "128x256-stages4")]
    [InlineData(8192, 8192, 4096, 164, 108, "128x256-stages3")]
    [InlineData(8192, 8192, 4096, 100, 82, "128x128-stages3")]
    [InlineData(128, 1024, 1024, 228, 132, "64x64-stages4")]
    [InlineData(64, 4096, 4096, 228, 132, "fewrows-bf16-64")]
    [InlineData(9, 4096, 4096, 228, 132, "fewrows-bf16-16")]
    [InlineData(1, 4096, 4096, 100, 82, "fewrows-bf16-8")]
    public void Tiles_fit_product_and_device(int m, int n, int k, int kilobytes, int multiprocessors,
        string expected) =>
        Assert.EndsWith(expected, MatMulLaunchTable.Choose(Problem(m, n, k), kilobytes, multiprocessors).Name);

    [Theory]
    [InlineData(8192, 8192, 32768, 1)]
    [InlineData(1024, 1024, 32768, 2)]
    [InlineData(256, 256, 32768, 16)]
    [InlineData(256, 256, 1500, 1)]
    [InlineData(1, 1024, 4096, 2)]
    public void Parts_depend_on_extents(int m, int n, int k, int expected) =>
        Assert.Equal(expected, MatMulLaunchTable.Parts(Problem(m, n, k)));

    [Fact]
    public void Every_form_has_a_kernel_that_fits_the_device()
    {
        foreach (var (kilobytes, multiprocessors) in s_devices)
            foreach (bool a in new[] { false, true })
                foreach (bool b in new[] { false, true })
                    foreach (int m in new[] { 1, 70, 3000 })
                    {
                        var variant = MatMulLaunchTable.Choose(new ProductProblem(ElementType.Float16, m, 500, 64,
                            a, b), kilobytes, multiprocessors);
                        Assert.True(variant.SharedBytes <= (kilobytes - 1) * 1024, variant.Name);
                        Assert.Equal((ElementType.Float16, a, b),
                            (variant.ElementType, variant.TransposeA, variant.TransposeB));
                    }
    }

    private static ProductProblem Problem(int m, int n, int k) => new(ElementType.BFloat16, m, n, k, false, true);
}
