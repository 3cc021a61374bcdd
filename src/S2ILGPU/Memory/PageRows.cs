using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Memory;

/// <summary>Where the rows of pages lie.</summary>
internal static class PageRows
{
    /// <summary>Whether pages have rows of D elements as kernels read them.</summary>
    /// <param name="pages">Pages [P, blockTokens, D].</param>
    /// <param name="headDim">D.</param>
    public static bool Fit(Tensor pages, int headDim)
    {
        if (pages.Shape.Rank != 3
            || pages.Shape != PageTable.PagesShape(pages.Shape[0], pages.Shape[1], headDim, pages.ElementType))
            return false;
        return pages.ElementType != ElementType.Int8 ? headDim <= 1 || pages.Stride(2) == 1
            : pages.IsContiguous && headDim % 4 == 0 && pages.OffsetElements % 4 == 0;
    }

    /// <summary>What <see cref="Fit"/> wants.</summary>
    public static string Expected(ElementType type) => type == ElementType.Int8
        ? "contiguous [P, blockTokens, D + 4] with a D that is a multiple of 4" : "[P, blockTokens, D] with adjacent D";

    /// <summary>The rows of pages that fit: Batch is the distance between pages.</summary>
    /// <param name="pages">Pages [P, blockTokens, D].</param>
    /// <param name="headDim">D.</param>
    public static RowStrides Of(Tensor pages, int headDim) => new()
    {
        Offset = pages.OffsetElements,
        Batch = pages.Stride(0),
        Row = pages.ElementType == ElementType.Int8 ? headDim : pages.Stride(1),
    };
}
