using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Reference;

// The engine tests on the reference itself: that the tests ask nothing the contract does not promise.
public sealed class ReferenceMemoryTests()
    : MemoryTests(() => new ReferenceEngine(), Tensors.ElementType.Float32, Tensors.ElementType.Float16,
    Tensors.ElementType.BFloat16);

public sealed class ReferenceElementwiseTests() : ElementwiseTests(() => new ReferenceEngine());

public sealed class ReferenceRowTests() : RowTests(() => new ReferenceEngine());

public sealed class ReferenceMatMulTests() : MatMulTests(() => new ReferenceEngine());

public sealed class ReferenceAttentionForwardTests() : AttentionForwardTests(() => new ReferenceEngine());

public sealed class ReferenceBFloat16AttentionForwardTests()
    : AttentionForwardTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceAttentionBackwardTests() : AttentionBackwardTests(() => new ReferenceEngine());

public sealed class ReferenceDecodeTests() : DecodeTests(() => new ReferenceEngine());

public sealed class ReferenceBFloat16CacheDecodeTests()
    : DecodeTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceMergeTests() : MergeTests(() => new ReferenceEngine());

public sealed class ReferenceOptimizerTests() : OptimizerTests(() => new ReferenceEngine());

public sealed class ReferenceBFloat16ElementwiseTests()
    : ElementwiseTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16RowTests()
    : RowTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16MatMulTests()
    : MatMulTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16AttentionBackwardTests()
    : AttentionBackwardTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);

public sealed class ReferenceBFloat16MergeTests()
    : MergeTests(() => new ReferenceEngine(), Tensors.ElementType.BFloat16);
