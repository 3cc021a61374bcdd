using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.MatMul;

public abstract class EmulatedMatMulTests(Func<IEngine> create, ElementType? activations = null)
    : MatMulTests(create, activations)
{
    protected override int EdgeCount => 1;

    protected override int RandomCases => TestScale.IsFull ? base.RandomCases : 2;
}

public sealed class IlgpuMatMulTests() : EmulatedMatMulTests(Emulated.CreateForSome);

public sealed class IlgpuBFloat16MatMulTests()
    : EmulatedMatMulTests(Emulated.CreateForSome, ElementType.BFloat16);

public sealed class IlgpuHalfMatMulTests()
    : EmulatedMatMulTests(Emulated.CreateForSome, ElementType.Float16);
