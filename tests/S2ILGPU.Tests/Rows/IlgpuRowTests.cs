using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Rows;

public sealed class IlgpuRowTests() : RowTests(Emulated.Create);
