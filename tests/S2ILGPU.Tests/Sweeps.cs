using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tests.Attention;
using S2ILGPU.Tests.MatMul;
using S2ILGPU.Tests.Ptx;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests;

/// <summary>What a plain run takes of the sweeps over kernels: each kind of kernel, and of each kind some, drawn by the
/// seed. <c>S2_TESTS=full</c> runs all of them.</summary>
internal static class Sweeps
{
    public static KernelOperation[] BackwardOperations { get; } = [KernelOperation.KeyValueGradient,
        KernelOperation.KeyGradient, KernelOperation.ValueGradient, KernelOperation.QueryGradient];

    public static string[] Forward { get; } = TestScale.Sample("forward kernels",
        KernelCatalog.Problems(KernelOperation.Forward), 1);

    public static string[] Backward { get; } = TestScale.Sample("backward kernels",
        KernelCatalog.Problems(BackwardOperations), 1);

    public static string[] Decode { get; } = TestScale.Sample("decoding kernels",
        KernelCatalog.Problems(KernelOperation.Decode), 1);

    public static string[] Sample { get; } = TestScale.Sample("kernels that score sampled rows",
        KernelCatalog.Problems(KernelOperation.Sample), 1);

    public static string[] Pack { get; } = TestScale.Sample("pack kernels", KernelCatalog.Names(KernelOperation.Pack),
        3);

    public static string[] Products { get; } = TestScale.Sample("matrix products", ProductKernelTests.AllNames,
        kind: name => string.Join('-', name.Split('-')[..2]), 1);

    public static string[] Tf32Tiles { get; } = TestScale.Sample("tiles of products in TF32",
        ProductKernelTests.AllNames.Where(name => name.Contains("tf32")), 1);

    public static (ElementType, bool, bool)[] ProductForms { get; } = TestScale.Sample(
        "forms of products on the emulated device", TensorCoreMatMulTests.AllForms, 1);

    public static (bool, bool)[] Tf32Forms { get; } = TestScale.Sample("forms of products in TF32",
        [(false, false), (false, true), (true, false), (true, true)], 1);

    public static string[] ProductResources { get; } = TestScale.Sample("resources of kernels of products",
        ProductKernelTests.AllNames, kind: name => name.Split('-')[^1], 1);

    public static string[] PlantedFaults { get; } = TestScale.Sample("planted faults",
        KernelCatalog.Families(typeof(Forward), typeof(Backward))
        .Where(family => family.Contains("D64") || TestScale.IsFull && family.Contains("D128")), 1);

    public static string[] Resources { get; } = TestScale.Sample("resources of kernels", KernelCatalog.AllFamilies, 2);

    public static string[] Portable { get; } = TestScale.Sample("compilation of portable kernels",
        PortableKernelTests.AllNames, 6);

    public static (string Type, string Placement)[] PortableForwardKeys { get; } = TestScale.Sample("portable forward",
        PortableAttentionTests.AllKeys, kind: keys => (keys.Placement, keys.Type == nameof(ElementType.Int8)), 1);

    public static (string Type, string Placement)[] PortableDecodeKeys { get; } = TestScale.Sample("portable decoding",
        PortableAttentionTests.AllKeys, kind: keys => (keys.Placement, keys.Type == nameof(ElementType.Int8)), 1);

    public static AttentionCase[] TensorCores { get; } = TestScale.Sample("tensor cores on the emulated device",
        TensorCoreAttentionTests.AllCases, 1);

    public static AttentionCase[] DamagedTensorCores { get; } = TestScale.Sample(
        "tensor cores on NaN and infinity", TensorCoreAttentionTests.AllDamagedCases, 1);

    public static int EmulatedDecodeShare { get; } = TestScale.OneOf("decoding on the emulated device", 120);

    public static int EmulatedSomeShare { get; } =
        TestScale.OneOf("16-bit activations and head slices on the emulated device", 60);

    public static int EmulatedMostShare { get; } =
        TestScale.OneOf("bf16 rows and elementwise operations, int8 pages on the emulated device", 8);

    public static int EmulatedForwardShare { get; } = TestScale.OneOf("forward on the emulated device", 20);

    public static int EmulatedBackwardShare { get; } = TestScale.OneOf("backward on the emulated device", 30);

    public static ElementType[] TrainingTypes { get; } = TestScale.Sample("trainings on the emulated device",
        [ElementType.Float32, ElementType.BFloat16], 1);

    public static ElementType[] ResourceTypes { get; } = TestScale.Sample("resources of attention",
        [ElementType.Float32, ElementType.BFloat16], 1);

    public static bool[] LongSums { get; } = TestScale.Sample("sums in parts on the emulated device", [true, false], 1);

    public static int[] PortableGradients { get; } = TestScale.Sample("portable gradients", Enumerable.Range(0, 4), 1);

    public static Type[] PortablePlantedFaults { get; } = TestScale.Sample("planted faults of portable kernels",
        [typeof(PortableForward), typeof(PortableDecode), typeof(PortableBackward)], 1);
}

/// <summary>Says what a plain run leaves out.</summary>
public sealed class SweepTests
{
    [Fact]
    public void All_cases_run()
    {
        Assert.NotEmpty(Sweeps.Forward);
        Assert.SkipUnless(TestScale.IsFull, TestScale.Report);
    }
}
