using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>A product that a tensor-core kernel is chosen for: <c>C [M, N] = op(A) op(B)</c> over K steps.</summary>
/// <param name="ElementType">Type of A and B.</param>
/// <param name="Rows">M.</param>
/// <param name="Columns">N.</param>
/// <param name="Steps">K.</param>
/// <param name="TransposeA">Whether A is stored [K, M].</param>
/// <param name="TransposeB">Whether B is stored [N, K].</param>
internal readonly record struct ProductProblem(ElementType ElementType, int Rows, int Columns, int Steps,
    bool TransposeA, bool TransposeB);

/// <summary>How products are launched: which kernel a device gets, and into how many parts K is cut.</summary>
internal static class MatMulLaunchTable
{
    // Groups that keep any device busy, and steps below which a part is not worth the addition of its sums.
    private const int EnoughGroups = 128, LeastPartSteps = 1024, MaxParts = 16;

    /// <summary>The most rows of C for which B is read straight from memory instead of through tiles.</summary>
    public const int MaxFewRows = 64;

    /// <summary>The kernel for a product.</summary>
    /// <param name="problem">The product, not empty.</param>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor in KB.</param>
    /// <param name="multiprocessors">Multiprocessors of the device.</param>
    public static KernelVariant Choose(ProductProblem problem, int multiprocessorKilobytes, int multiprocessors)
    {
        var operation = IsFewRows(problem) ? KernelOperation.FewRows : KernelOperation.MatMul;
        var fitting = MatMulVariants.All.Where(variant => variant.Operation == operation
            && variant.MultiprocessorKilobytes <= multiprocessorKilobytes && Fits(variant, problem));
        if (operation == KernelOperation.FewRows)
            return fitting.First();
        long parts = Parts(problem);
        return fitting.MinBy(Cost)!;

        // Waves of groups, each as long as the tiles of a multiprocessor take.
        double Cost(KernelVariant variant)
        {
            int residents = variant.Residents(multiprocessorKilobytes);
            long waves = DivideUp(Tiles(problem, variant.Rows, variant.Columns) * parts,
                (long)multiprocessors * residents);
            return waves * residents * variant.Rows * variant.Columns / variant.Rate;
        }
    }

    /// <summary>Whether a kernel can compute a product.</summary>
    public static bool Fits(KernelVariant variant, in ProductProblem problem) =>
        variant.ElementType == problem.ElementType
        && variant.TransposeA == problem.TransposeA && variant.TransposeB == problem.TransposeB
        && (variant.Operation == KernelOperation.MatMul
            || (variant.Operation == KernelOperation.FewRows && problem.Rows <= variant.Rows));

    /// <summary>Parts that K is cut into. Depends on the extents alone, since it decides how sums round.</summary>
    public static int Parts(ProductProblem problem)
    {
        long groups = IsFewRows(problem) ? DivideUp(problem.Columns, 16) : Tiles(problem, 128, 128);
        return (int)Math.Clamp(Math.Min(EnoughGroups / groups, problem.Steps / LeastPartSteps), 1, MaxParts);
    }

    /// <summary>Tiles of C.</summary>
    public static long Tiles(ProductProblem problem, int rows, int columns) =>
        DivideUp(problem.Rows, rows) * DivideUp(problem.Columns, columns);

    private static bool IsFewRows(ProductProblem problem) =>
        problem is { TransposeA: false, TransposeB: true, Rows: <= MaxFewRows };

    private static long DivideUp(long count, long size) => (count + size - 1) / size;
}
