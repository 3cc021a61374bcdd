using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.MatMul;

public sealed class IlgpuMatMulTests() : MatMulTests(Emulated.Create);
