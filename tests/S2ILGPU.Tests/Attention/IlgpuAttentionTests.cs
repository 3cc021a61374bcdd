using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Attention;

public sealed class IlgpuAttentionForwardTests() : AttentionForwardTests(Emulated.Create);

public sealed class IlgpuAttentionBackwardTests() : AttentionBackwardTests(Emulated.Create);

public sealed class IlgpuDecodeTests() : DecodeTests(Emulated.Create);

public sealed class IlgpuMergeTests() : MergeTests(Emulated.Create);
