using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Attention;

public sealed class IlgpuAttentionForwardTests() : AttentionForwardTests(Emulated.Create)
{
    protected override int RandomCases => 4;

    protected override int Share => Sweeps.EmulatedForwardShare;

    protected override long RandomWork => 2_000_000;

    protected override int WideHeadDimCount => 2;
}

public sealed class IlgpuAttentionBackwardTests() : AttentionBackwardTests(Emulated.Create)
{
    protected override int RandomCases => 3;

    protected override int Share => Sweeps.EmulatedBackwardShare;

    protected override long RandomWork => 1_000_000;

    protected override int WideHeadDimCount => 1;
}

public sealed class IlgpuDecodeTests() : DecodeTests(Emulated.OfDecoding(Emulated.Create));

public sealed class IlgpuMergeTests() : MergeTests(Emulated.Create);
