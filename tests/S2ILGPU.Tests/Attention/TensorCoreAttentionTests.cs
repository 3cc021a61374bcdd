using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>
/// The tensor-core kernels through the engine, with the C# bodies of their primitives: a few small problems for each
/// way through the host code. All variants run on the PTX machine.
/// </summary>
public sealed class TensorCoreAttentionTests() : AttentionTest(Emulated.CreateWithTensorCores, ElementType.BFloat16)
{
    private static readonly AttentionCase s_case = new() { HeadDim = 64, BlockTokens = 64, QueryHeads = 2,
        KeyValueHeads = 1, Pattern = "L1 s2", QueryCounts = [80], KeyCounts = [80] };

    private AttentionKernels Kernels => ((IlgpuEngine)Tested).AttentionKernels;

    public static TheoryData<AttentionCase> Cases => [.. Sweeps.TensorCores];

    /// <summary>Problems that differ in what the host does for them.</summary>
    internal static AttentionCase[] AllCases =>
    [
        s_case,
        s_case with { Pattern = "dense non-causal", QueryHeads = 1 },
        s_case with { BlockTokens = 16, Pattern = "L2 s3", QueryCounts = [17], KeyCounts = [90] },
        s_case with { BlockTokens = 32, Pattern = "random by query head", QueryCounts = [70], KeyCounts = [70] },
        s_case with { BlockTokens = 128, Pattern = "L1 s2", QueryHeads = 1, QueryCounts = [40], KeyCounts = [170] },
        s_case with { QueryCounts = [3, 0, 20], KeyCounts = [5, 0, 66], Batching = Batching.Packed, PaddingRows = 3 },
        s_case with { Pattern = "random mostly empty", BlockTokens = 16, QueryCounts = [33, 20], KeyCounts = [50, 20],
            PaddingRows = 1, WithLogSumExp = false },
        s_case with { Order = MemoryOrder.HeadMajor, QueryCounts = [40], KeyCounts = [40] },
        s_case with { Order = MemoryOrder.PackedQueryKeyValue, QueryCounts = [40], KeyCounts = [40], PaddingRows = 2 },
        s_case with { HeadDim = 80, QueryHeads = 1, QueryCounts = [20], KeyCounts = [40] },
        s_case with { HeadDim = 96, QueryHeads = 1, QueryCounts = [20], KeyCounts = [40] },
        s_case with { HeadDim = 112, QueryHeads = 1, QueryCounts = [20], KeyCounts = [40] },
        s_case with { HeadDim = 128, QueryHeads = 1, QueryCounts = [20], KeyCounts = [40] },
        s_case with { HeadDim = 192, QueryHeads = 1, QueryCounts = [10], KeyCounts = [30] },
        s_case with { HeadDim = 256, QueryHeads = 1, QueryCounts = [10], KeyCounts = [30] },
        s_case with { Pattern = "nothing", QueryCounts = [10], KeyCounts = [10] },
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_pass(AttentionCase problem)
    {
        TestScale.SkipUnlessDrawn(2);
        CheckForward(problem);
        Assert.NotNull(Kernels.Last(KernelOperation.Forward));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_pass(AttentionCase problem)
    {
        TestScale.SkipUnlessDrawn(10);
        CheckBackward(problem);
        Assert.NotNull(Kernels.Last(KernelOperation.QueryGradient));
    }

    /// <summary>Problems with NaN and infinity: those that tensor cores spread over a tile are computed
    /// again.</summary>
    public static TheoryData<AttentionCase> DamagedCases => [.. Sweeps.DamagedTensorCores];

    internal static AttentionCase[] AllDamagedCases =>
    [
        s_case with { QueryHeads = 1, QueryCounts = [30], KeyCounts = [30], Damages = 2 },
        s_case with { QueryHeads = 1, QueryCounts = [17], KeyCounts = [60], BlockTokens = 16, Pattern = "L2 s3",
            Damages = 3 },
        s_case with { QueryHeads = 1, QueryCounts = [3, 20], KeyCounts = [5, 20], Batching = Batching.Packed,
            PaddingRows = 3, Pattern = "dense non-causal", Damages = 3 },
    ];

    [Theory]
    [MemberData(nameof(DamagedCases))]
    public void NaN_and_infinity_reach_the_rows_that_see_them(AttentionCase problem)
    {
        TestScale.SkipUnlessDrawn(8);
        CheckForward(problem);
        Assert.NotNull(Kernels.Last(KernelOperation.Forward));
        CheckBackward(problem);
        Assert.NotNull(Kernels.Last(KernelOperation.QueryGradient));
    }

    [Fact]
    public void A_value_that_one_row_sees_reaches_no_other()
    {
        TestScale.SkipUnlessDrawn(2);
        const int tokens = 20;
        var layout = S2ILGPU.Layouts.BlockLayout.Create(PatternCatalog.Create("dense", 1, 1, 64), tokens);
        var query = Normal("query", new Shape(1, tokens, 1, 64), type: Type);
        var (key, value) = (Normal("key", query.Shape, type: Type), Normal("value", query.Shape, type: Type));
        var values = value.Values;
        values[^5] = double.NaN;
        value.Values = values;
        var (output, logSumExp) = (Constant("output", query.Shape, -77, Type),
            Constant("log-sum-exp", new Shape(1, 1, tokens), -77));
        Check("NaN in the last value", Tolerance.Forward(Type) with { NaNMatches = true }, e =>
            e.Engine.AttentionForward(new AttentionForwardArguments(e[query], e[key], e[value], e[output],
            e[logSumExp], layout, SequenceBatch.Uniform(1, tokens, tokens), 0.125f)));
        Assert.Equal(ElementType.BFloat16, Kernels.Last(KernelOperation.Forward)!.ElementType);
    }

    [Fact]
    public void A_forced_variant_serves_the_calls_that_it_fits()
    {
        TestScale.SkipUnlessDrawn(10);
        var variant = KernelVariants.All.First(v => v.Operation == KernelOperation.Forward && v.HeadDim == 128
            && v.Rows == 128 && v.ElementType == Type && v.BlockColumns == 64 && !v.IsPaged);
        using (Kernels.Force(variant))
        {
            CheckForward(s_case with { HeadDim = 128, QueryHeads = 1, QueryCounts = [20], KeyCounts = [150] });
            Assert.Same(variant, Kernels.Last(KernelOperation.Forward));
            CheckForward(s_case with { QueryHeads = 1, QueryCounts = [20], KeyCounts = [20] });
            Assert.NotSame(variant, Kernels.Last(KernelOperation.Forward));
        }
        CheckForward(s_case with { HeadDim = 128, QueryHeads = 1, QueryCounts = [20], KeyCounts = [20] });
        Assert.NotSame(variant, Kernels.Last(KernelOperation.Forward));
    }

    [Fact]
    public void What_no_tensor_core_kernel_serves_is_done_by_portable_ones()
    {
        TestScale.SkipUnlessDrawn(4);
        CheckForward(s_case with { HeadDim = 24, QueryCounts = [30], KeyCounts = [30] });
        CheckBackward(s_case with { HeadDim = 24, QueryCounts = [30], KeyCounts = [30] });
        CheckForward(s_case with { RelativeScale = 0, QueryCounts = [30], KeyCounts = [30] });
        Assert.Null(Kernels.Last(KernelOperation.Forward)); // the portable kernel that reads keys of 16 bits
        Assert.Contains(Kernels.Last(KernelOperation.QueryGradient), PortableVariants.All);
    }
}

/// <summary>The other element type of tensor cores.</summary>
public sealed class HalfTensorCoreAttentionTests() : AttentionTest(Emulated.CreateWithTensorCores, ElementType.Float16)
{
    [Fact]
    public void Forward_and_backward_pass()
    {
        TestScale.SkipUnlessDrawn(8);
        var problem = new AttentionCase { HeadDim = 64, BlockTokens = 32, Pattern = "L1 s2", QueryCounts = [30],
            KeyCounts = [50] };
        CheckForward(problem);
        CheckBackward(problem);
        Assert.Equal(ElementType.Float16,
            ((IlgpuEngine)Tested).AttentionKernels.Last(KernelOperation.Forward)?.ElementType);
    }
}

/// <summary>Decoding by tensor-core kernels where the head dim has them, otherwise by portable ones.</summary>
public sealed class BFloat16TensorCoreDecodeTests()
    : DecodeTests(Emulated.OfDecoding(Emulated.CreateWithTensorCores), ElementType.BFloat16, ElementType.BFloat16);

public sealed class HalfTensorCoreDecodeTests()
    : DecodeTests(Emulated.OfDecoding(Emulated.CreateWithTensorCores), ElementType.Float16, ElementType.Float16);

/// <summary>Decoding with a cache of 16 bits by portable kernels.</summary>
public sealed class BFloat16CacheDecodeTests()
    : DecodeTests(Emulated.OfDecoding(Emulated.Create), ElementType.BFloat16);
