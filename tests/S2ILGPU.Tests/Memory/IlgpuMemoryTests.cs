using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Memory;

public sealed class IlgpuMemoryTests() : MemoryTests(Emulated.Create, ElementType.BFloat16, ElementType.Float16);

public sealed class IlgpuUnwrittenMemoryTests() : UnwrittenMemoryTests(Emulated.Create);
