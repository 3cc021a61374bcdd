using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Row;

public sealed class IlgpuRowTests() : RowTests(Emulated.Create);

public sealed class IlgpuBFloat16RowTests() : RowTests(Emulated.CreateForMost, ElementType.BFloat16);

public sealed class IlgpuHalfRowTests() : RowTests(Emulated.CreateForSome, ElementType.Float16);
