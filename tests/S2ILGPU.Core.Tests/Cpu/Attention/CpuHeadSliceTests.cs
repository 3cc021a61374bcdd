using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

public sealed class CpuHeadSliceTests() : HeadSliceTests(() => CpuEngines.Create(SimdWidth.Auto, 2));

public sealed class CpuBFloat16HeadSliceTests()
    : HeadSliceTests(() => CpuEngines.Create(SimdWidth.Auto, 2), ElementType.BFloat16);
