using System.Reflection;
using S2ILGPU.Tensors;

namespace S2ILGPU.Launch;

/// <summary>What an attention kernel computes.</summary>
internal enum AttentionOperation
{
    /// <summary>O and LSE of many queries.</summary>
    Forward,

    /// <summary>O and LSE of one query per sequence, in parts that are merged.</summary>
    Decode,

    /// <summary>dQ.</summary>
    QueryGradient,

    /// <summary>dK and dV at once.</summary>
    KeyAndValueGradients,

    /// <summary>dK alone, where the accumulators of both do not fit.</summary>
    KeyGradient,

    /// <summary>dV alone.</summary>
    ValueGradient,
}

/// <summary>A kernel compiled for one element type and one set of extents. Tests, the tools and the launch table enumerate <see cref="KernelVariants"/>.</summary>
internal sealed class KernelVariant
{
    /// <summary>Unique name, as in <c>forward-bf16-d128-w4m1n64s2-b64-pages</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it computes.</summary>
    public required AttentionOperation Operation { get; init; }

    /// <summary>Type of its operands.</summary>
    public required ElementType ElementType { get; init; }

    /// <summary>D; 0 for any up to 256.</summary>
    public int HeadDim { get; init; }

    /// <summary>Columns of an entry: 16, 32 or 64; 0 for any.</summary>
    public int BlockColumns { get; init; }

    /// <summary>Whether keys and values lie in pages.</summary>
    public bool IsPaged { get; init; }

    /// <summary>Rows of a row tile.</summary>
    public required int RowsPerTile { get; init; }

    /// <summary>Query heads of a row tile: above 1 only in decoding.</summary>
    public int GroupHeads { get; init; } = 1;

    /// <summary>Threads of a group.</summary>
    public required int Threads { get; init; }

    /// <summary>Groups that a multiprocessor must be able to hold, which bounds the registers; 0 when nothing is asked.</summary>
    public int MinGroups { get; init; }

    /// <summary>Dynamic shared memory of a group, in bytes; static shared memory of portable kernels.</summary>
    public required int SharedBytes { get; init; }

    /// <summary>Whether the kernel uses tensor cores; portable kernels run on every accelerator.</summary>
    public required bool UsesTensorCores { get; init; }

    /// <summary>Architectures that choose it: from this one (as in 80 for sm_80).</summary>
    public int FromArchitecture { get; init; }

    /// <summary>Architectures that choose it: below this one.</summary>
    public int BelowArchitecture { get; init; } = int.MaxValue;

    /// <summary>Why the table has it.</summary>
    public required string Reason { get; init; }

    /// <summary>The kernel, a static method with one argument.</summary>
    public required MethodInfo Method { get; init; }

    /// <summary>Whether a call can be served.</summary>
    /// <param name="operation">What is computed.</param>
    /// <param name="problem">Operands.</param>
    public bool Fits(AttentionOperation operation, in AttentionProblem problem) =>
        Operation == operation && ElementType == problem.ElementType && (HeadDim == 0 || HeadDim == problem.HeadDim) && (BlockColumns == 0 || BlockColumns == problem.BlockColumns)
        && (!UsesTensorCores || operation is not (AttentionOperation.Forward or AttentionOperation.Decode) || IsPaged == problem.IsPaged) && problem.GroupHeads % GroupHeads == 0;

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>What a kernel is chosen for.</summary>
/// <param name="ElementType">Type of the operands.</param>
/// <param name="HeadDim">D.</param>
/// <param name="BlockColumns">Columns of an entry.</param>
/// <param name="IsPaged">Whether keys and values lie in pages.</param>
/// <param name="GroupHeads">Query heads that share a KV head and its pattern.</param>
internal readonly record struct AttentionProblem(ElementType ElementType, int HeadDim, int BlockColumns, bool IsPaged = false, int GroupHeads = 1);
