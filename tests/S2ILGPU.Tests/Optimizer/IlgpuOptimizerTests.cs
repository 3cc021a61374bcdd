using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Optimizer;

public sealed class IlgpuOptimizerTests() : OptimizerTests(Emulated.Create);
