using S2ILGPU.Engines;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>The reference as an engine under test.</summary>
internal static class ReferenceEngines
{
    /// <summary>A new one; a plain run takes 1 of 12 tests.</summary>
    public static IEngine Create()
    {
        TestScale.SkipUnlessDrawn(12);
        return new ReferenceEngine();
    }
}

// The engine tests on the reference itself: that the tests ask nothing the contract does not promise.
public sealed class ReferenceMemoryTests()
    : MemoryTests(ReferenceEngines.Create, Tensors.ElementType.Float32, Tensors.ElementType.Float16,
    Tensors.ElementType.BFloat16);

public sealed class ReferenceElementwiseTests() : ElementwiseTests(ReferenceEngines.Create);

public sealed class ReferenceRowTests() : RowTests(ReferenceEngines.Create);

public sealed class ReferenceMatMulTests() : MatMulTests(ReferenceEngines.Create);

public sealed class ReferenceAttentionForwardTests() : AttentionForwardTests(ReferenceEngines.Create);

public sealed class ReferenceBFloat16AttentionForwardTests()
    : AttentionForwardTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceAttentionBackwardTests() : AttentionBackwardTests(ReferenceEngines.Create);

public sealed class ReferenceDecodeTests() : DecodeTests(ReferenceEngines.Create);

public sealed class ReferenceBFloat16CacheDecodeTests()
    : DecodeTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceInt8CacheDecodeTests()
    : DecodeTests(ReferenceEngines.Create, Tensors.ElementType.Int8);

public sealed class ReferenceInt8PagesTests() : Int8PagesTests(ReferenceEngines.Create);

public sealed class ReferenceMergeTests() : MergeTests(ReferenceEngines.Create);

public sealed class ReferenceOptimizerTests() : OptimizerTests(ReferenceEngines.Create);

public sealed class ReferenceBFloat16ElementwiseTests()
    : ElementwiseTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16RowTests()
    : RowTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16MatMulTests()
    : MatMulTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16AttentionBackwardTests()
    : AttentionBackwardTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16MergeTests()
    : MergeTests(ReferenceEngines.Create, Tensors.ElementType.BFloat16);
