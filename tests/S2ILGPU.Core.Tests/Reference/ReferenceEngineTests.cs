using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Reference;

// The engine tests on the reference itself: that the tests ask nothing the contract does not promise.
public sealed class ReferenceMemoryTests() : MemoryTests(() => new ReferenceBackend(), Tensors.ElementType.Float32, Tensors.ElementType.Float16,
    Tensors.ElementType.BFloat16);

public sealed class ReferenceElementwiseTests() : ElementwiseTests(() => new ReferenceBackend());

public sealed class ReferenceRowTests() : RowTests(() => new ReferenceBackend());

public sealed class ReferenceMatMulTests() : MatMulTests(() => new ReferenceBackend());

public sealed class ReferenceAttentionForwardTests() : AttentionForwardTests(() => new ReferenceBackend());

public sealed class ReferenceBFloat16AttentionForwardTests() : AttentionForwardTests(() => new ReferenceBackend(), Tensors.ElementType.BFloat16);

public sealed class ReferenceAttentionBackwardTests() : AttentionBackwardTests(() => new ReferenceBackend());

public sealed class ReferenceDecodeTests() : DecodeTests(() => new ReferenceBackend());

public sealed class ReferenceBFloat16CacheDecodeTests() : DecodeTests(() => new ReferenceBackend(), Tensors.ElementType.BFloat16);

public sealed class ReferenceMergeTests() : MergeTests(() => new ReferenceBackend());

public sealed class ReferenceOptimizerTests() : OptimizerTests(() => new ReferenceBackend());
