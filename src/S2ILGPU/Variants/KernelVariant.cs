using System.Reflection;
using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>What a kernel of the launch tables computes.</summary>
internal enum KernelOperation
{
    /// <summary>O and LSE of row tiles of queries.</summary>
    Forward,

    /// <summary>O and LSE of single queries, in parts.</summary>
    Decode,

    /// <summary>O and LSE from parts.</summary>
    Merge,

    /// <summary>Rows to tiles of 16-bit elements.</summary>
    Pack,

    /// <summary>delta and LSE in the form that the backward kernels read.</summary>
    Delta,

    /// <summary>dQ.</summary>
    QueryGradient,

    /// <summary>dK and dV.</summary>
    KeyValueGradient,

    /// <summary>dK alone.</summary>
    KeyGradient,

    /// <summary>dV alone.</summary>
    ValueGradient,

    /// <summary>Log-sum-exps of the pieces of sampled rows.</summary>
    Sample,

    /// <summary>C, by tiles.</summary>
    MatMul,

    /// <summary>C of few rows.</summary>
    FewRows,

    /// <summary>C from parts of a sum.</summary>
    PartSum,
}

/// <summary>Names of operations.</summary>
internal static class KernelOperations
{
    /// <summary>As names of variants and reports begin: <c>forward</c>, <c>dkdv</c>.</summary>
    public static string ShortName(this KernelOperation operation) => operation switch
    {
        KernelOperation.QueryGradient => "dq",
        KernelOperation.KeyValueGradient => "dkdv",
        KernelOperation.KeyGradient => "dk",
        KernelOperation.ValueGradient => "dv",
        _ => operation.ToString().ToLowerInvariant(),
    };
}

/// <summary>One compilation of a kernel, with all that a launch needs.</summary>
internal sealed record KernelVariant
{
    /// <summary>Unique name of the form operation, element type, extents.</summary>
    public required string Name { get; init; }

    /// <summary>What it computes.</summary>
    public required KernelOperation Operation { get; init; }

    /// <summary>The static method with one argument struct.</summary>
    public required MethodInfo Method { get; init; }

    /// <summary>Type of the operands: 16 bits for kernels of attention on tensor cores, those or Float32 for products,
    /// Float32 for portable ones.</summary>
    public required ElementType ElementType { get; init; }

    /// <summary>Whether it is plain ILGPU, which every accelerator runs.</summary>
    public bool IsPortable { get; init; }

    /// <summary>D, or 0 where the kernel serves every D.</summary>
    public int HeadDim { get; init; }

    /// <summary>Columns of a block, or 0 where it does not matter.</summary>
    public int BlockColumns { get; init; }

    /// <summary>Whether entries of lists are looked up in a page table.</summary>
    public bool IsPaged { get; init; }

    /// <summary>Rows of a row tile, or of C of a group; 0 where it does not matter.</summary>
    public int Rows { get; init; }

    /// <summary>Columns of C of a group; 0 for attention.</summary>
    public int Columns { get; init; }

    /// <summary>Whether A is stored [K, M].</summary>
    public bool TransposeA { get; init; }

    /// <summary>Whether B is stored [N, K].</summary>
    public bool TransposeB { get; init; }

    /// <summary>G, query heads that a group of a decode kernel serves, or 0.</summary>
    public int GroupHeads { get; init; }

    /// <summary>Threads of a group.</summary>
    public required int Threads { get; init; }

    /// <summary>Dynamic shared memory in bytes.</summary>
    public int SharedBytes { get; init; }

    /// <summary>Least shared memory of a multiprocessor, in KB, for which the table chooses this variant: 228 H100 and
    /// H200, 164 A100, 100 consumer GPUs.</summary>
    public int MultiprocessorKilobytes { get; init; } = 100;

    /// <summary>Groups of a product that the registers of a multiprocessor hold at once.</summary>
    public int RegisterResidents { get; init; } = 1;

    /// <summary>Expected rate of its products relative to those of the largest tiles, from counted
    /// instructions.</summary>
    public double Rate { get; init; } = 1;

    /// <summary>Groups of a product that a multiprocessor of that much shared memory holds at once.</summary>
    public int Residents(int multiprocessorKilobytes) =>
        Math.Clamp(multiprocessorKilobytes * 1024 / (SharedBytes + 1024), 1, RegisterResidents);

    /// <summary>Why the table has it.</summary>
    public required string Reason { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
