using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.MatMul;

public sealed class IlgpuMatMulTests() : MatMulTests(Emulated.Create)
{
    protected override int EdgeCount => 1;

    protected override int RandomCases => TestScale.IsFull ? base.RandomCases : 2;
}
