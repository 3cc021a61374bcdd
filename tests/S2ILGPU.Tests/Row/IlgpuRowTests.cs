using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Row;

public sealed class IlgpuRowTests() : RowTests(Emulated.Create);
