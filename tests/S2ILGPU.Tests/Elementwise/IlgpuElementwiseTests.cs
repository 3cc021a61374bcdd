using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Elementwise;

public sealed class IlgpuElementwiseTests() : ElementwiseTests(Emulated.Create);
