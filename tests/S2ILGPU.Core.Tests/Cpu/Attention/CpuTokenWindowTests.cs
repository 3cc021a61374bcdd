using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

public sealed class ScalarTokenWindowTests() : TokenWindowTests(() => CpuEngines.Draw(SimdWidth.Scalar, 2));

public sealed class Simd128TokenWindowTests() : TokenWindowTests(() => CpuEngines.Draw(SimdWidth.Bits128, 1));

public sealed class Simd256TokenWindowTests() : TokenWindowTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2));

public sealed class Simd512TokenWindowTests() : TokenWindowTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class BFloat16TokenWindowTests()
    : TokenWindowTests(() => CpuEngines.Draw(SimdWidth.Bits256, 2), ElementType.BFloat16);
