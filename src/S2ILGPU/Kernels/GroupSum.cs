using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels;

/// <summary>Sums and maxima over the values of a group's threads, in two steps with a barrier before each; always in
/// the same order.</summary>
/// <remarks>
/// <code>
/// partials[Group.IdxX] = sum;
/// Group.Barrier();
/// GroupSum.Fold(partials);
/// Group.Barrier();
/// sum = GroupSum.Total(partials); // of all threads, in every thread
/// </code>
/// </remarks>
internal static class GroupSum
{
    /// <summary>The most threads of a group, hence the length of the shared array of partial values.</summary>
    public const int MaxThreads = 256;

    private const int Folded = 16;

    /// <summary>The first 16 threads add up every 16th value.</summary>
    public static void Fold(ArrayView<float> partials)
    {
        if (Group.IdxX >= Folded)
            return;
        float sum = partials[Group.IdxX];
        for (int thread = Group.IdxX + Folded; thread < Group.DimX; thread += Folded)
            sum += partials[thread];
        partials[Group.IdxX] = sum;
    }

    /// <summary>The sum of the values that <see cref="Fold(ArrayView{float})"/> left.</summary>
    public static float Total(ArrayView<float> partials)
    {
        float sum = partials[0];
        for (int thread = 1; thread < Folded && thread < Group.DimX; thread++)
            sum += partials[thread];
        return sum;
    }

    /// <summary>As <see cref="Fold(ArrayView{float})"/>, four sums at a time.</summary>
    public static void Fold(ArrayView<Quad> partials)
    {
        if (Group.IdxX >= Folded)
            return;
        var sum = partials[Group.IdxX];
        for (int thread = Group.IdxX + Folded; thread < Group.DimX; thread += Folded)
            sum += partials[thread];
        partials[Group.IdxX] = sum;
    }

    /// <summary>The four sums of the values that <see cref="Fold(ArrayView{Quad})"/> left.</summary>
    public static Quad Total(ArrayView<Quad> partials)
    {
        var sum = partials[0];
        for (int thread = 1; thread < Folded && thread < Group.DimX; thread++)
            sum += partials[thread];
        return sum;
    }

    /// <summary>As <see cref="Fold(ArrayView{float})"/>, but the maximum.</summary>
    public static void FoldMaximum(ArrayView<float> partials)
    {
        if (Group.IdxX >= Folded)
            return;
        float maximum = partials[Group.IdxX];
        for (int thread = Group.IdxX + Folded; thread < Group.DimX; thread += Folded)
            maximum = XMath.Max(maximum, partials[thread]);
        partials[Group.IdxX] = maximum;
    }

    /// <summary>The maximum of the values that <see cref="FoldMaximum"/> left.</summary>
    public static float Maximum(ArrayView<float> partials)
    {
        float maximum = partials[0];
        for (int thread = 1; thread < Folded && thread < Group.DimX; thread++)
            maximum = XMath.Max(maximum, partials[thread]);
        return maximum;
    }
}
