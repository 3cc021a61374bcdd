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
    // Of how many tests a plain run takes one: of the width that this machine uses, and of others.
    private const int ShareOfWidest = 2, ShareOfNarrower = 8;

    // So small that every way of cutting work for caches is taken by the small shapes of tests.
    private static readonly CacheSizes s_smallCaches = new(4 << 10, 1, 1);

    /// <summary>An engine, 1 of 3 for small caches; skips the test where the machine has no registers of that
    /// width.</summary>
    public static IEngine Create(SimdWidth width, int threads)
    {
        if (width > SimdWidths.Widest)
            Assert.Skip($"this machine has SIMD registers of {SimdWidths.Widest}, not {width}");
        return new CpuEngine(new CpuOptions(width, threads, Seeds.NewRandom().Next(3) == 0 ? s_smallCaches : null));
    }

    /// <summary>The same, for 1 of so many tests in a plain run.</summary>
    public static IEngine Draw(SimdWidth width, int threads)
    {
        if (width != SimdWidth.Auto)
            TestScale.SkipUnlessDrawn(width == SimdWidths.Widest ? ShareOfWidest : ShareOfNarrower);
        return Create(width, threads);
    }

    /// <summary>The same for keys or activations of 8 and 16 bits: half as many tests of the machine's width.</summary>
    public static IEngine DrawNarrowTypes(SimdWidth width, int threads)
    {
        if (width == SimdWidth.Auto || width == SimdWidths.Widest)
            TestScale.SkipUnlessDrawn(2 * ShareOfWidest);
        return Draw(width, threads);
    }

    /// <summary>An engine of the machine's width, for 1 of 6 tests in a plain run: those that take long.</summary>
    public static IEngine DrawLong(int threads)
    {
        TestScale.SkipUnlessDrawn(6);
        return Create(SimdWidth.Auto, threads);
    }
}

public sealed class CpuOneThreadMemoryTests()
    : MemoryTests(() => CpuEngines.Draw(SimdWidth.Auto, 1), ElementType.Float16, ElementType.BFloat16);
public sealed class CpuTwoThreadsMemoryTests()
    : MemoryTests(() => CpuEngines.Draw(SimdWidth.Auto, 2), ElementType.Float16, ElementType.BFloat16);

public sealed class CpuInt8PagesTests() : Int8PagesTests(() => CpuEngines.Draw(SimdWidth.Auto, 2));
public sealed class CpuScalarInt8PagesTests() : Int8PagesTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));

public sealed class CpuUnwrittenMemoryTests() : UnwrittenMemoryTests(() => CpuEngines.Draw(SimdWidth.Auto, 1));

public sealed class CpuScalarElementwiseTests() : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));
public sealed class CpuBits128ElementwiseTests() : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Bits128, 2));
public sealed class CpuBits256ElementwiseTests() : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));
public sealed class CpuBits512ElementwiseTests() : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsElementwiseTests()
    : ElementwiseTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class CpuScalarRowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));
public sealed class CpuBits128RowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Bits128, 2));
public sealed class CpuBits256RowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsRowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));
public sealed class CpuBits512RowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsRowTests() : RowTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class CpuScalarMatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));
public sealed class CpuBits128MatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Bits128, 2));
public sealed class CpuBits256MatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsMatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));
public sealed class CpuBits512MatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsMatMulTests() : MatMulTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class CpuScalarOptimizerTests() : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));
public sealed class CpuBits128OptimizerTests() : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Bits128, 2));
public sealed class CpuBits256OptimizerTests() : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Bits256, 1));
public sealed class CpuBits256TwoThreadsOptimizerTests()
    : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));
public sealed class CpuBits512OptimizerTests() : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Bits512, 1));
public sealed class CpuBits512TwoThreadsOptimizerTests()
    : OptimizerTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

// Activations of 16 bits, sums of 32.

public sealed class CpuScalarBFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 1), ElementType.BFloat16);
public sealed class CpuBits128BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.BFloat16);
public sealed class CpuBits512BFloat16ElementwiseTests()
    : ElementwiseTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 1), ElementType.BFloat16);

public sealed class CpuScalarBFloat16RowTests()
    : RowTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 1), ElementType.BFloat16);
public sealed class CpuBits128BFloat16RowTests()
    : RowTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16RowTests()
    : RowTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.BFloat16);
public sealed class CpuBits512BFloat16RowTests()
    : RowTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 1), ElementType.BFloat16);

public sealed class CpuScalarBFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 2), ElementType.BFloat16);
public sealed class CpuBits256BFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 1), ElementType.BFloat16);
public sealed class CpuBits512BFloat16MatMulTests()
    : MatMulTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 2), ElementType.BFloat16);

public sealed class CpuThreadCountTests()
    : ThreadCountTests(() => CpuEngines.DrawLong(1), () => CpuEngines.DrawLong(2),
        () => CpuEngines.DrawLong(3));

public sealed class CpuBFloat16ThreadCountTests()
    : ThreadCountTests(() => CpuEngines.DrawLong(1), () => CpuEngines.DrawLong(2),
        () => CpuEngines.DrawLong(3))
{
    protected override ElementType? Activations => ElementType.BFloat16;
}
