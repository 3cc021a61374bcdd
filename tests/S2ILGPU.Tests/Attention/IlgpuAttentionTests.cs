using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

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

public sealed class IlgpuInt8DecodeTests() : DecodeTests(Emulated.OfDecoding(Emulated.Create), ElementType.Int8);

public sealed class IlgpuInt8PagesTests() : Int8PagesTests(Emulated.CreateForMost);

public sealed class IlgpuMergeTests() : MergeTests(Emulated.Create);

public sealed class IlgpuHeadSliceTests() : HeadSliceTests(Emulated.CreateForSome);

public sealed class IlgpuSamplerTests() : SamplerTests(Emulated.CreateForSome)
{
    protected override int RandomCases => 2;

    protected override int HeadDim => Random.Pick(8, 40);
}

public sealed class BFloat16TensorCoreSamplerTests()
    : SamplerTests(Emulated.OfSome(Emulated.CreateWithTensorCores), ElementType.BFloat16)
{
    protected override int RandomCases => 1;

    protected override int HeadDim => 64;

    protected override void CheckUse() =>
        Assert.Equal(KernelOperation.Sample,
            ((IlgpuEngine)Tested).AttentionKernels.Last(KernelOperation.Sample)?.Operation);
}
