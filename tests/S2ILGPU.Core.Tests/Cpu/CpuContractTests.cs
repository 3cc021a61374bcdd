using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

/// <summary>CPU engines of every width, with one thread and with several.</summary>
internal static class CpuEngines
{
    /// <summary>An engine; skips the test where the machine has no registers of that width.</summary>
    public static IEngine Create(SimdWidth width, int threads)
    {
        if (width > SimdWidths.Widest)
            Assert.Skip($"this machine has SIMD registers of {SimdWidths.Widest}, not {width}");
        return new CpuEngine(new CpuOptions(width, threads));
    }
}

public sealed class CpuOneThreadMemoryTests()
    : MemoryTests(() => CpuEngines.Create(SimdWidth.Auto, 1), ElementType.Float16, ElementType.BFloat16);
public sealed class CpuTwoThreadsMemoryTests()
    : MemoryTests(() => CpuEngines.Create(SimdWidth.Auto, 2), ElementType.Float16, ElementType.BFloat16);

public sealed class CpuUnwrittenMemoryTests() : UnwrittenMemoryTests(() => CpuEngines.Create(SimdWidth.Auto, 1));

public sealed class CpuScalarElementwiseTests() : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Scalar, 1));
public sealed class CpuBits128ElementwiseTests() : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits128, 2));
public sealed class CpuBits256ElementwiseTests() : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits256, 2));
public sealed class CpuBits512ElementwiseTests() : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits512, 2));

public sealed class CpuScalarRowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Scalar, 1));
public sealed class CpuBits128RowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Bits128, 2));
public sealed class CpuBits256RowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsRowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Bits256, 2));
public sealed class CpuBits512RowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsRowTests() : RowTests(() => CpuEngines.Create(SimdWidth.Bits512, 2));

public sealed class CpuScalarMatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Scalar, 1));
public sealed class CpuBits128MatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits128, 2));
public sealed class CpuBits256MatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsMatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits256, 2));
public sealed class CpuBits512MatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsMatMulTests() : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits512, 2));

public sealed class CpuScalarOptimizerTests() : OptimizerTests(() => CpuEngines.Create(SimdWidth.Scalar, 1));
public sealed class CpuBits128OptimizerTests() : OptimizerTests(() => CpuEngines.Create(SimdWidth.Bits128, 2));
public sealed class CpuBits256OptimizerTests() : OptimizerTests(() => CpuEngines.Create(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsOptimizerTests()
    : OptimizerTests(() => CpuEngines.Create(SimdWidth.Bits256, 2));
public sealed class CpuBits512OptimizerTests() : OptimizerTests(() => CpuEngines.Create(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsOptimizerTests()
    : OptimizerTests(() => CpuEngines.Create(SimdWidth.Bits512, 2));

// Activations of 16 bits, sums of 32.

public sealed class CpuScalarBFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Scalar, 1), ElementType.BFloat16);
public sealed class CpuBits128BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits128, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits256, 2), ElementType.BFloat16);
public sealed class CpuBits512BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Create(SimdWidth.Bits512, 1), ElementType.BFloat16);

public sealed class CpuScalarBFloat16RowTests()
    : RowTests(() => CpuEngines.Create(SimdWidth.Scalar, 1), ElementType.BFloat16);
public sealed class CpuBits128BFloat16RowTests()
    : RowTests(() => CpuEngines.Create(SimdWidth.Bits128, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16RowTests()
    : RowTests(() => CpuEngines.Create(SimdWidth.Bits256, 2), ElementType.BFloat16);
public sealed class CpuBits512BFloat16RowTests()
    : RowTests(() => CpuEngines.Create(SimdWidth.Bits512, 1), ElementType.BFloat16);

public sealed class CpuScalarBFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.Create(SimdWidth.Scalar, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits256, 1), ElementType.BFloat16);
public sealed class CpuBits512BFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.Create(SimdWidth.Bits512, 2), ElementType.BFloat16);

public sealed class CpuThreadCountTests()
    : ThreadCountTests(() => CpuEngines.Create(SimdWidth.Auto, 1), () => CpuEngines.Create(SimdWidth.Auto, 2),
        () => CpuEngines.Create(SimdWidth.Auto, 3));

public sealed class CpuBFloat16ThreadCountTests()
    : ThreadCountTests(() => CpuEngines.Create(SimdWidth.Auto, 1), () => CpuEngines.Create(SimdWidth.Auto, 2),
        () => CpuEngines.Create(SimdWidth.Auto, 3))
{
    protected override ElementType? Activations => ElementType.BFloat16;
}
