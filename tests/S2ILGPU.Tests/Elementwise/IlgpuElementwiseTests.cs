using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Elementwise;

public sealed class IlgpuElementwiseTests() : ElementwiseTests(Emulated.Create);

public sealed class IlgpuBFloat16ElementwiseTests() : ElementwiseTests(Emulated.CreateForMost, ElementType.BFloat16);

public sealed class IlgpuHalfElementwiseTests()
    : ElementwiseTests(Emulated.CreateForSome, ElementType.Float16);
