using S2ILGPU.Tensors;

namespace S2ILGPU.Launch;

/// <summary>A forward kernel: rows of a group are 16 RowTiles Warps.</summary>
internal sealed record ForwardRow(int HeadDim, int Warps, int RowTiles, int Step, int Stages, int MinGroups, int From, int Below, string Reason);

/// <summary>A decoding kernel.</summary>
internal sealed record DecodeRow(int HeadDim, int GroupHeads, int Stages, int MinGroups, string Reason);

/// <summary>A backward kernel: dq, dkdv, dk or dv.</summary>
internal sealed record BackwardRow(string Gradients, int HeadDim, int Step, bool RowsInRegisters, int SecondBuffers, int MinGroups, int From, int Below, string Reason);

/// <summary>Which attention kernel serves which call: the first row that fits the operands, the architecture and its shared memory. Registers, spills and shares of tensor instructions are those of ptxas 11.8.</summary>
internal static class AttentionLaunchTable
{
    private const int Any = int.MaxValue;

    /// <summary>Head dims that tensor-core kernels are compiled for.</summary>
    public static IReadOnlyList<int> HeadDims { get; } = [64, 96, 128, 256];

    /// <summary>Forward kernels, best first.</summary>
    public static IReadOnlyList<ForwardRow> Forward { get; } =
    [
        new(64, 2, 2, 64, 2, 0, 80, Any, "32 rows per warp halve the loads of K and V per product; 189 registers, no spills; 64 rows keep small problems parallel"),
        new(96, 4, 1, 64, 2, 0, 80, Any, "16 rows per warp: 32 would need more than 255 registers"),
        new(128, 4, 2, 64, 1, 0, 90, Any, "128 rows: twice the products per load; 255 registers without spills on sm_90; 64 KB leave room for two groups"),
        new(128, 4, 1, 64, 2, 0, 80, Any, "128 rows spill on sm_80; 135 registers, two groups per multiprocessor"),
        new(256, 4, 1, 32, 1, 0, 80, Any, "O alone takes 128 registers; scores of 32 columns at a time, single buffers: 96 KB, which every architecture from sm_80 on has"),
    ];

    /// <summary>Decoding kernels: the largest group of heads that divides the heads of a KV head is taken.</summary>
    public static IReadOnlyList<DecodeRow> Decode { get; } =
    [
        .. from headDim in (int[])[64, 96, 128, 256]
           from heads in (int[])[8, 4, 2, 1]
           select new DecodeRow(headDim, heads, 2, 0, "two stages keep 64 KB in flight per group at D 128, several times latency x bandwidth; more stages only lower the groups per multiprocessor"),
    ];

    /// <summary>Backward kernels, best first.</summary>
    public static IReadOnlyList<BackwardRow> Backward { get; } =
    [
        new("dkdv", 64, 16, true, 2, 3, 80, Any, "168 registers: three groups per multiprocessor; the chains of products are short"),
        new("dkdv", 96, 32, false, 1, 0, 80, Any, "accumulators of both gradients take 192 registers"),
        new("dkdv", 128, 64, false, 2, 0, 90, Any, "97.5 KB, two groups per multiprocessor from sm_90 on, no spills"),
        new("dkdv", 128, 64, false, 1, 0, 80, Any, "single buffer: 64.5 KB, so that two groups fit on sm_80"),
        new("dk", 256, 16, false, 1, 0, 80, Any, "dK and dV together would take 256 registers for accumulators"),
        new("dv", 256, 16, false, 1, 0, 80, Any, "dK and dV together would take 256 registers for accumulators"),
        new("dq", 64, 64, true, 2, 0, 80, Any, "132 registers, three groups"),
        new("dq", 96, 64, true, 2, 0, 80, Any, "rows stay in registers as for 64 and 128"),
        new("dq", 128, 64, true, 2, 0, 80, Any, "241 registers, two groups, the largest share of tensor instructions"),
        new("dq", 256, 16, false, 1, 0, 80, Any, "dQ alone takes 128 registers; single buffers"),
    ];

    /// <summary>Dynamic shared memory that a group may have, in bytes.</summary>
    public static int SharedBytes(int architecture) => architecture switch
    {
        80 or 87 => 163 * 1024,
        >= 90 and < 120 => 227 * 1024,
        _ => 99 * 1024,
    };

    /// <summary>The first variant that fits a call on a device, or null.</summary>
    /// <param name="operation">What is computed.</param>
    /// <param name="problem">Operands.</param>
    /// <param name="architecture">Architecture of the device, as in 90 for sm_90.</param>
    public static KernelVariant? Choose(AttentionOperation operation, in AttentionProblem problem, int architecture)
    {
        foreach (var variant in KernelVariants.All)
            if (variant.UsesTensorCores && RunsOn(variant, architecture) && architecture < variant.BelowArchitecture && architecture >= variant.FromArchitecture && variant.Fits(operation, problem))
                return variant;
        return null;
    }

    /// <summary>Whether a device of an architecture can run a variant, chosen for it or not.</summary>
    public static bool RunsOn(KernelVariant variant, int architecture) => !variant.UsesTensorCores || (architecture >= 80 && variant.SharedBytes <= SharedBytes(architecture));
}
