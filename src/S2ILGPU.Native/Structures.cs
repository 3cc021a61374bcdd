using System.Runtime.CompilerServices;

namespace S2ILGPU.Native;

// The structures of s2ilgpu.h, field by field; the header says what they mean. A test compares the two.

/// <summary><c>s2_tensor</c>.</summary>
internal unsafe struct NativeTensor
{
    public void* Data;
    public int Type, Rank;
    public FourLongs Shape, Strides;
}

/// <summary>Extents or strides.</summary>
[InlineArray(4)]
internal struct FourLongs
{
    private long _first;
}

/// <summary><c>s2_sequence</c>.</summary>
internal struct NativeSequence
{
    public int Batch, QueryStart, QueryCount, KeyStart, KeyCount;
}

/// <summary><c>s2_heads</c>.</summary>
internal struct NativeHeads
{
    public int QueryHeads, KeyValueHeads, BlockTokens, IsCausal;
}

/// <summary><c>s2_stripes</c>.</summary>
internal struct NativeStripes
{
    public int HeadOffset, HomogeneousHeads, DenseHeads, SlideByQueryHead;
}

/// <summary><c>s2_two_range</c>.</summary>
internal struct NativeTwoRange
{
    public int LocalBlocks, NearBlocks, NearStride, FarStride;
}

/// <summary><c>s2_pattern_info</c>.</summary>
internal struct NativePatternInfo
{
    public int QueryHeads, KeyValueHeads, PatternHeads, BlockTokens, IsCausal, IsCacheEfficient, MaxBlocks;
}

/// <summary><c>s2_layout_info</c>.</summary>
internal struct NativeLayoutInfo
{
    public int Tokens, BlockTokens, Heads, KeyBlocks, FirstQueryBlock, QueryBlocks;
    public long KeptBlocks;
}

/// <summary><c>s2_layout_report</c>.</summary>
internal struct NativeLayoutReport
{
    public long KeptBlocks, DenseBlocks;
    public int EmptyRows, IsCacheEfficient, IsCovered, Reserved;
}

/// <summary><c>s2_forward</c>.</summary>
internal unsafe struct NativeForward
{
    public NativeTensor* Query, Key, Value, Output, LogSumExp;
    public NativeSequence* Sequences;
    public long SequenceCount;
    public float* Scale;
}

/// <summary><c>s2_backward</c>.</summary>
internal unsafe struct NativeBackward
{
    public NativeTensor* Query, Key, Value, Output, LogSumExp, OutputGradient, LogSumExpGradient, QueryGradient,
        KeyGradient, ValueGradient;
    public NativeSequence* Sequences;
    public long SequenceCount;
    public float* Scale;
}

/// <summary><c>s2_merge</c>.</summary>
internal unsafe struct NativeMerge
{
    public long Parts;
    public NativeTensor* Outputs, LogSumExps, Output, LogSumExp;
}

/// <summary><c>s2_merge_backward</c>.</summary>
internal unsafe struct NativeMergeBackward
{
    public NativeTensor* PartOutput, PartLogSumExp, Output, LogSumExp, OutputGradient, LogSumExpGradient,
        PartOutputGradient, PartLogSumExpGradient;
}
