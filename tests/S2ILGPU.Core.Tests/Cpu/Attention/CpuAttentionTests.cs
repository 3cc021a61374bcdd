using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

// The tests that every engine inherits, on every register width; threads vary with it.

public sealed class ScalarAttentionForwardTests() : AttentionForwardTests(() => CpuEngines.Draw(SimdWidth.Scalar, 3));

public sealed class Simd128AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.Draw(SimdWidth.Bits128, 1));

public sealed class Simd256AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));

public sealed class Simd512AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class ScalarAttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.Draw(SimdWidth.Scalar, 3));

public sealed class Simd128AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.Draw(SimdWidth.Bits128, 1));

public sealed class Simd256AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));

public sealed class Simd512AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class ScalarDecodeTests() : DecodeTests(() => CpuEngines.Draw(SimdWidth.Scalar, 3));

public sealed class Simd128DecodeTests() : DecodeTests(() => CpuEngines.Draw(SimdWidth.Bits128, 1));

public sealed class Simd256DecodeTests() : DecodeTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));

public sealed class Simd512DecodeTests() : DecodeTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

// Caches of 16-bit elements, read by queries of 32 bits.

public sealed class ScalarBFloat16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 2), ElementType.BFloat16);

public sealed class Simd128BFloat16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 2), ElementType.BFloat16);

public sealed class Simd256BFloat16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 1), ElementType.BFloat16);

public sealed class Simd512BFloat16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 2), ElementType.BFloat16);

public sealed class ScalarFloat16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 1), ElementType.Float16);

public sealed class Simd128Float16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 1), ElementType.Float16);

public sealed class Simd256Float16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.Float16);

public sealed class Simd512Float16DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 1), ElementType.Float16);

// Caches of 8-bit elements with a scale for each row.

public sealed class ScalarInt8DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 2), ElementType.Int8);

public sealed class Simd128Int8DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 1), ElementType.Int8);

public sealed class Simd256Int8DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.Int8);

public sealed class Simd512Int8DecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 1), ElementType.Int8);

public sealed class ScalarMergeTests() : MergeTests(() => CpuEngines.Draw(SimdWidth.Scalar, 3));

public sealed class Simd128MergeTests() : MergeTests(() => CpuEngines.Draw(SimdWidth.Bits128, 1));

public sealed class Simd256MergeTests() : MergeTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));

public sealed class Simd512MergeTests() : MergeTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

// Queries, keys, values, outputs and their gradients of 16 bits.

public sealed class ScalarBFloat16AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 2), ElementType.BFloat16);

public sealed class Simd256BFloat16AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 1), ElementType.BFloat16);

public sealed class Simd512BFloat16AttentionForwardTests()
    : AttentionForwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 2), ElementType.BFloat16);

public sealed class ScalarBFloat16AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Scalar, 2), ElementType.BFloat16);

public sealed class Simd256BFloat16AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 1), ElementType.BFloat16);

public sealed class Simd512BFloat16AttentionBackwardTests()
    : AttentionBackwardTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 2), ElementType.BFloat16);

public sealed class Simd128BFloat16QueryDecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits128, 1), ElementType.BFloat16, ElementType.BFloat16);

public sealed class Simd512BFloat16QueryDecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 2), ElementType.BFloat16, ElementType.BFloat16);

public sealed class Simd256Int8BFloat16QueryDecodeTests()
    : DecodeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.Int8, ElementType.BFloat16);

public sealed class Simd256BFloat16MergeTests()
    : MergeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits256, 2), ElementType.BFloat16);

public sealed class Simd512BFloat16MergeTests()
    : MergeTests(() => CpuEngines.DrawNarrowTypes(SimdWidth.Bits512, 1), ElementType.BFloat16);
