using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Kernels.Row;

namespace S2ILGPU.Reports;

/// <summary>The kernels in plain ILGPU that an engine launches without a choice from a launch table: of elements, rows,
/// memory, optimizer and sampling, and products and attention without tensor cores.</summary>
/// <remarks>A test compares the list with the kernels that the assembly declares.</remarks>
internal static class PortableKernels
{
    private static readonly Type[] s_floats = [typeof(StoredSingle), typeof(StoredBFloat16), typeof(StoredHalf)],
        s_halves = [typeof(StoredBFloat16), typeof(StoredHalf)],
        s_keys = [.. s_floats, typeof(StoredInt8)],
        s_sides = [typeof(QueryRows), typeof(KeyRows)];

    /// <summary>The kernels.</summary>
    public static IEnumerable<ReportedKernel> All() =>
        [.. Elements(), .. Rows(), .. Memory(), .. Optimizer(), .. Products(), .. Attention(), .. Sampling()];

    private static IEnumerable<ReportedKernel> Elements() =>
    [
        .. Over("add", typeof(AddOperation)),
        .. Over("addscaled", typeof(AddScaledOperation)),
        .. Over("gelu", typeof(GeluOperation)),
        .. Over("dgelu", typeof(GeluBackwardOperation)),
        .. Over("swiglu", typeof(SwiGluOperation)),
        .. Over("dswiglu", typeof(SwiGluBackwardOperation)),
        .. Over("gegelu", typeof(GegeluOperation)),
        .. Over("dgegelu", typeof(GegeluBackwardOperation)),
        .. Of("nonfinite", typeof(NonFiniteKernel), nameof(NonFiniteKernel.NonFinite)),
    ];

    private static IEnumerable<ReportedKernel> Rows() =>
    [
        .. Of("rmsnorm", typeof(RmsNormKernel), nameof(RmsNormKernel.Run), s_floats),
        .. Of("drmsnorm", typeof(RmsNormBackwardKernel), nameof(RmsNormBackwardKernel.Run), s_floats),
        .. Of("sumofrows", typeof(SumOfRowsKernel), nameof(SumOfRowsKernel.Run), s_floats),
        .. Over("addbias", typeof(AddBiasOperation)),
        .. Of("center", typeof(CenterKernel), nameof(CenterKernel.Run), s_floats),
        .. Over("rotary", typeof(RotaryOperation)),
        .. s_floats.SelectMany(table => Over("embedding", typeof(EmbeddingOperation<>).MakeGenericType(table))),
        .. Over("dembedding", typeof(EmbeddingBackwardOperation)),
        .. Of("tokenorder-begin", typeof(TokenOrderKernel), nameof(TokenOrderKernel.Begin)),
        .. Of("tokenorder-merge", typeof(TokenOrderKernel), nameof(TokenOrderKernel.Merge)),
        .. Of("crossentropy", typeof(SoftmaxCrossEntropyKernel), nameof(SoftmaxCrossEntropyKernel.Run)),
        // logits are Float32 in mixed precision too
        .. Over("dcrossentropy", typeof(SoftmaxCrossEntropyBackwardOperation), typeof(StoredSingle)),
    ];

    private static IEnumerable<ReportedKernel> Memory() =>
    [
        .. Of("copy", typeof(CopyKernel), nameof(CopyKernel.Copy), s_floats, s_floats),
        .. Of("fill", typeof(CopyKernel), nameof(CopyKernel.Fill), s_floats),
        .. Of("fill-int32", typeof(CopyKernel), nameof(CopyKernel.FillBits)),
        // rows are kept as they are, or rounded from single precision
        .. Of("writepages", typeof(PagesKernel), nameof(PagesKernel.Write), [typeof(StoredSingle)], s_floats),
        .. s_halves.SelectMany(type =>
            Of("writepages", typeof(PagesKernel), nameof(PagesKernel.Write), [type], [type])),
        .. Of("writepages-int8", typeof(PagesKernel), nameof(PagesKernel.WriteInt8), s_floats),
        .. Of("pagechanges", typeof(PageChanges), nameof(PageChanges.Write)),
    ];

    private static IEnumerable<ReportedKernel> Optimizer() =>
    [
        .. Of("adamw", typeof(AdamWKernel), nameof(AdamWKernel.Run),
            [typeof(Four<ParameterUpdate>), typeof(ThirtyTwo<ParameterUpdate>)], s_floats),
        .. Of("sumofsquares", typeof(SumOfSquaresKernel), nameof(SumOfSquaresKernel.Partials),
            [typeof(Four<ILGPU.ArrayView<float>>), typeof(ThirtyTwo<ILGPU.ArrayView<float>>)]),
        .. Of("sumofsquares-totals", typeof(SumOfSquaresKernel), nameof(SumOfSquaresKernel.Totals)),
    ];

    private static IEnumerable<ReportedKernel> Products() =>
    [
        .. Of("matmul-tile", typeof(ProductTile), nameof(ProductTile.Run), s_floats, s_floats, s_floats),
        .. Of("matmul-dots", typeof(DotProducts), nameof(DotProducts.Run), s_floats, s_floats, s_floats),
    ];

    // Without those of PortableVariants, which can be chosen by name.
    private static IEnumerable<ReportedKernel> Attention() =>
    [
        .. Of("forward-fp32-keys", typeof(PortableForward), nameof(PortableForward.Kernel), s_keys[1..]),
        .. Of("decode-fp32-keys", typeof(PortableDecode), nameof(PortableDecode.Kernel), s_keys[1..]),
        .. Of("delta-fp32", typeof(PortableDelta), nameof(PortableDelta.Kernel)),
        .. Of("merge-fp32-splits", typeof(PortableMerge), nameof(PortableMerge.Splits)),
        .. Of("merge-fp32-parts", typeof(PortableMerge), nameof(PortableMerge.Parts)),
        .. Of("dmerge-fp32", typeof(PortableMergeBackward), nameof(PortableMergeBackward.Kernel)),
        .. Of("repair-forward", typeof(PortableForward), nameof(PortableForward.Repair), s_halves),
        .. Of("repair", typeof(PortableBackward), nameof(PortableBackward.Repair), s_sides, s_halves),
    ];

    private static IEnumerable<ReportedKernel> Sampling() =>
    [
        .. Of("samplescores", typeof(SampleScores), nameof(SampleScores.Kernel), s_keys),
        .. Of("samplesums-rows", typeof(SampleSums), nameof(SampleSums.Rows)),
        .. Of("samplesums-blocks", typeof(SampleSums), nameof(SampleSums.Blocks)),
        .. Of("blockchoice", typeof(BlockChoice), nameof(BlockChoice.Choose)),
        .. Of("blockchoice-count", typeof(BlockChoice), nameof(BlockChoice.Count)),
        .. Of("chosenlists", typeof(ChosenLists), nameof(ChosenLists.Build)),
    ];

    // An operation over the elements of rows, by the types of its activations.
    private static IEnumerable<ReportedKernel> Over(string name, Type operation, params Type[] activations) =>
        Of(operation.IsGenericType ? $"{name}-{NameOf(operation.GetGenericArguments()[0])}" : name,
            typeof(ElementwiseKernel), nameof(ElementwiseKernel.Rows), [operation],
            activations.Length == 0 ? s_floats : activations);

    // A kernel for every choice of its type arguments.
    private static IEnumerable<ReportedKernel> Of(string name, Type type, string method, params Type[][] choices)
    {
        var kernel = type.GetMethod(method)!;
        foreach (var arguments in Combinations(choices))
        {
            string[] parts = [name, .. arguments.Where(argument => !argument.IsAssignableTo(typeof(IRowOperation)))
                .Select(NameOf)];
            yield return new ReportedKernel(name.Split('-')[0], string.Join('-', parts), TensorCore: false,
                arguments.Length == 0 ? kernel : kernel.MakeGenericMethod(arguments), Threads: 0, SharedBytes: 0,
                IsMain: arguments.SelectMany(argument => (Type[])[argument, .. argument.GetGenericArguments()])
                    .Intersect(s_floats).Count() <= 1, ReportedKernel.AllArchitectures);
        }
    }

    private static IEnumerable<Type[]> Combinations(Type[][] choices) => choices.Length == 0 ? [[]]
        : from first in choices[0]
          from rest in Combinations(choices[1..])
          select (Type[])[first, .. rest];

    private static string NameOf(Type type) => type.Name.Split('`')[0] switch
    {
        nameof(StoredSingle) => "fp32",
        nameof(StoredBFloat16) => "bf16",
        nameof(StoredHalf) => "fp16",
        nameof(StoredInt8) => "int8",
        nameof(QueryRows) => "dq",
        nameof(KeyRows) => "dkdv",
        "Four" => "4tensors",
        "ThirtyTwo" => "32tensors",
        var other => throw new ArgumentException($"no short name for {other}", nameof(type)),
    };
}
