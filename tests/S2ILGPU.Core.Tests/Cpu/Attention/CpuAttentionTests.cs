using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

// The tests that every engine inherits, on every register width; threads vary with it.

public sealed class ScalarAttentionForwardTests() : AttentionForwardTests(() => Engines.Create(SimdWidth.Scalar, 3));

public sealed class Simd128AttentionForwardTests() : AttentionForwardTests(() => Engines.Create(SimdWidth.Bits128, 1));

public sealed class Simd256AttentionForwardTests() : AttentionForwardTests(() => Engines.Create(SimdWidth.Bits256, 2));

public sealed class Simd512AttentionForwardTests() : AttentionForwardTests(() => Engines.Create(SimdWidth.Bits512, 2));

public sealed class ScalarAttentionBackwardTests() : AttentionBackwardTests(() => Engines.Create(SimdWidth.Scalar, 3));

public sealed class Simd128AttentionBackwardTests() : AttentionBackwardTests(() => Engines.Create(SimdWidth.Bits128, 1));

public sealed class Simd256AttentionBackwardTests() : AttentionBackwardTests(() => Engines.Create(SimdWidth.Bits256, 2));

public sealed class Simd512AttentionBackwardTests() : AttentionBackwardTests(() => Engines.Create(SimdWidth.Bits512, 2));

public sealed class ScalarDecodeTests() : DecodeTests(() => Engines.Create(SimdWidth.Scalar, 3));

public sealed class Simd128DecodeTests() : DecodeTests(() => Engines.Create(SimdWidth.Bits128, 1));

public sealed class Simd256DecodeTests() : DecodeTests(() => Engines.Create(SimdWidth.Bits256, 2));

public sealed class Simd512DecodeTests() : DecodeTests(() => Engines.Create(SimdWidth.Bits512, 2));

public sealed class ScalarMergeTests() : MergeTests(() => Engines.Create(SimdWidth.Scalar, 3));

public sealed class Simd128MergeTests() : MergeTests(() => Engines.Create(SimdWidth.Bits128, 1));

public sealed class Simd256MergeTests() : MergeTests(() => Engines.Create(SimdWidth.Bits256, 2));

public sealed class Simd512MergeTests() : MergeTests(() => Engines.Create(SimdWidth.Bits512, 2));
