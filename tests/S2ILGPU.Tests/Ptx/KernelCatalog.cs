using System.Reflection;
using S2ILGPU.Kernels;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A kernel and what its tests must know of it.</summary>
/// <param name="Name">Name of the variant.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="HeadDim">D.</param>
/// <param name="BlockColumns">Columns of a block.</param>
/// <param name="RowsPerTile">Rows of a group.</param>
/// <param name="Heads">G of decoding kernels.</param>
/// <param name="Placement">Where keys and values lie.</param>
/// <param name="RowsAreKeys">Backward: whether rows are keys.</param>
/// <param name="First">Backward: whether dK or dQ is computed.</param>
/// <param name="Second">Backward: whether dV is computed.</param>
/// <param name="Type">Element type.</param>
internal sealed record TestedKernel(string Name, InterpretedKernel Kernel, int HeadDim, int BlockColumns, int RowsPerTile, int Heads, KeyPlacement Placement, bool RowsAreKeys, bool First, bool Second, ElementType Type)
{
    public override string ToString() => Name;
}

/// <summary>The attention kernels that the interpreter runs.</summary>
internal static class KernelCatalog
{
    public static IReadOnlyList<TestedKernel> Forward { get; } =
    [
        ForwardOf<Tiles.BFloat16Element, ForwardShape<N64, N2, N2, N64, N2, N64, InBlocks>>("D64 2 warps"),
        ForwardOf<Tiles.BFloat16Element, ForwardShape<N64, N4, N2, N64, N2, N64, InBlocks>>("D64 128 rows"),
        ForwardOf<Tiles.BFloat16Element, ForwardShape<N64, N2, N2, N64, N2, N16, InBlocks>>("D64 blocks of 16"),
        ForwardOf<HalfElement, ForwardShape<N64, N2, N2, N64, N2, N32, InPages>>("D64 fp16 pages of 32"),
        ForwardOf<HalfElement, ForwardShape<N96, N4, N1, N64, N2, N64, InBlocks>>("D96 fp16"),
        ForwardOf<Tiles.BFloat16Element, ForwardShape<N128, N4, N1, N64, N2, N64, InBlocks>>("D128"),
        ForwardOf<Tiles.BFloat16Element, ForwardShape<N128, N4, N2, N64, N1, N64, InPages>>("D128 128 rows, one buffer, pages"),
    ];

    public static IReadOnlyList<TestedKernel> Backward { get; } =
    [
        BackwardOf<Tiles.BFloat16Element, BackwardShape<QueryGradient, N64, N64, RowsInRegisters, N2, N64>>("dQ D64"),
        BackwardOf<Tiles.BFloat16Element, BackwardShape<QueryGradient, N64, N64, RowsInRegisters, N2, N16>>("dQ D64 blocks of 16"),
        BackwardOf<HalfElement, BackwardShape<QueryGradient, N128, N64, RowsInRegisters, N2, N64>>("dQ D128 fp16"),
        BackwardOf<Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N64, N64, RowsInRegisters, N2, N64>>("dK dV D64"),
        BackwardOf<HalfElement, BackwardShape<KeyAndValueGradients, N64, N64, RowsInRegisters, N2, N32>>("dK dV D64 fp16 blocks of 32"),
        BackwardOf<Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N128, N64, RowsInShared, N2, N64>>("dK dV D128"),
        BackwardOf<Tiles.BFloat16Element, BackwardShape<KeyAndValueGradients, N128, N64, RowsInShared, N1, N64>>("dK dV D128 one buffer"),
    ];

    public static IReadOnlyList<TestedKernel> Decode { get; } =
    [
        DecodeOf<Tiles.BFloat16Element, DecodeShape<N64, N1, N2, N64, InPages>>("D64 G1 pages"),
        DecodeOf<Tiles.BFloat16Element, DecodeShape<N64, N2, N3, N64, InBlocks>>("D64 G2"),
        DecodeOf<HalfElement, DecodeShape<N64, N4, N2, N16, InPages>>("D64 G4 fp16 pages of 16"),
        DecodeOf<Tiles.BFloat16Element, DecodeShape<N128, N8, N2, N64, InPages>>("D128 G8 pages"),
    ];

    public static InterpretedKernel MergeOf(ElementType type) => new(Method(typeof(Merge), ElementOf(type)), Merge.Threads);

    public static InterpretedKernel DeltaOf(ElementType type, int headDim)
    {
        var eight = typeof(EightHalves<>).MakeGenericType(ElementOf(type));
        return new(Method(typeof(Delta), eight, eight, headDim switch { 64 => typeof(N64), 96 => typeof(N96), 128 => typeof(N128), _ => typeof(N256) }), Delta.Threads);
    }

    private static TestedKernel ForwardOf<TElement, TShape>(string name) where TElement : struct, IElement where TShape : struct, IForwardShape =>
        new("forward " + name, new InterpretedKernel(Method(typeof(Forward), typeof(TElement), typeof(TShape)), 32 * TShape.Warps, Kernels.Forward.SharedBytes<TShape>()), TShape.HeadDim, TShape.BlockColumns,
            Kernels.Forward.Rows<TShape>(), 0, PlacementOf<TShape>(), false, true, false, TypeOf<TElement>());

    private static TestedKernel BackwardOf<TElement, TShape>(string name) where TElement : struct, IElement where TShape : struct, IBackwardShape =>
        new(name, new InterpretedKernel(Method(typeof(Backward), typeof(TElement), typeof(TShape)), Kernels.Backward.Threads, BackwardMemory<TShape>.Bytes), TShape.HeadDim, TShape.BlockColumns,
            64, 0, KeyPlacement.Packed, TShape.RowsAreKeys, TShape.First, TShape.Second, TypeOf<TElement>());

    private static TestedKernel DecodeOf<TElement, TShape>(string name) where TElement : struct, IElement where TShape : struct, IDecodeShape =>
        new("decode " + name, new InterpretedKernel(Method(typeof(Decode), typeof(TElement), typeof(TShape)), Kernels.Decode.Threads, Kernels.Decode.SharedBytes<TShape>()), TShape.HeadDim, TShape.BlockColumns,
            1, TShape.Heads, PlacementOf<TShape>(), false, true, false, TypeOf<TElement>());

    private static MethodInfo Method(Type type, params Type[] arguments) => type.GetMethod("Kernel", BindingFlags.Static | BindingFlags.Public)!.MakeGenericMethod(arguments);

    private static KeyPlacement PlacementOf<TShape>() where TShape : struct, ITileShape => TShape.Paged ? KeyPlacement.Pages : KeyPlacement.Packed;

    private static ElementType TypeOf<TElement>() => typeof(TElement) == typeof(HalfElement) ? ElementType.Float16 : ElementType.BFloat16;

    private static Type ElementOf(ElementType type) => type == ElementType.Float16 ? typeof(HalfElement) : typeof(Tiles.BFloat16Element);
}
