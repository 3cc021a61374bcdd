using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Optimizer;

/// <summary>One parameter and what AdamW keeps of it, all contiguous.</summary>
internal struct ParameterUpdate
{
    /// <summary>p, g, m and v [count], as words.</summary>
    public ArrayView<int> Parameter, Gradient, FirstMoment, SecondMoment;

    /// <summary>The memory under the shadow, as words; empty without one.</summary>
    public ArrayView<int> Shadow;

    /// <summary>First element of the shadow.</summary>
    public long ShadowOffset;

    /// <summary><c>1 - lr decay</c>.</summary>
    public float Keep;

    /// <summary>Whether all of them begin at a multiple of 4 elements (1) or not (0).</summary>
    public int IsAligned;
}

/// <summary>What all parameters of a step share.</summary>
internal struct AdamWFactors
{
    public float GradientScale, Beta1, Beta2, NewFirst, NewSecond, Step, SecondCorrection, Epsilon;
}

/// <summary>One step on a list of parameters.</summary>
internal struct AdamWArguments<TList> where TList : struct, ITensorList<ParameterUpdate>
{
    public TList Parameters;
    public AdamWFactors Factors;
}

/// <summary>
/// <c>m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p = keep p - step m / (sqrt(correction v) + eps)</c>, with <c>keep =
/// 1 - lr decay</c>, <c>step = lr / (1 - b1^t)</c> and <c>correction = 1 / (1 - b2^t)</c>, which the host computes in
/// double precision. A shadow of p, the only activation here, is rounded in the same pass.
/// </summary>
/// <remarks>A group owns <see cref="Chunk"/> elements of one parameter, neighbouring threads neighbouring quads.
/// Roofline: memory bandwidth, 28 bytes per element and 2 of the shadow; the share was not measured.</remarks>
internal static class AdamWKernel
{
    /// <summary>Elements of a group.</summary>
    public const int Chunk = 16 * 1024;

    /// <typeparam name="TList">The parameters.</typeparam>
    /// <typeparam name="TStored">How memory keeps shadows.</typeparam>
    public static void Run<TList, TStored>(AdamWArguments<TList> a)
        where TList : struct, ITensorList<ParameterUpdate>
        where TStored : struct, IStoredElement
    {
        var p = a.Parameters.Of(Grid.IdxX);
        long first = (long)Chunk * a.Parameters.Within(Grid.IdxX), count = p.Parameter.Length;
        long end = first + Chunk < count ? first + Chunk : count;
        for (long n = first + Quad.Count * Group.IdxX; n < end; n += Quad.Count * Group.DimX)
            Update<TStored>(a.Factors, p, n, count - n);
    }

    private static void Update<TStored>(AdamWFactors a, ParameterUpdate p, long n, long left)
        where TStored : struct, IStoredElement
    {
        var g = Quad.Load<StoredSingle>(p.Gradient, n, left, p.IsAligned) * a.GradientScale;
        var m = Quad.Load<StoredSingle>(p.FirstMoment, n, left, p.IsAligned) * a.Beta1 + g * a.NewFirst;
        var v = Quad.Load<StoredSingle>(p.SecondMoment, n, left, p.IsAligned) * a.Beta2 + g * a.NewSecond * g;
        m.Store<StoredSingle>(p.FirstMoment, n, left, p.IsAligned);
        v.Store<StoredSingle>(p.SecondMoment, n, left, p.IsAligned);
        var move = m * a.Step / ((v * a.SecondCorrection).Map<SquareRoot>() + a.Epsilon);
        var updated = Quad.Load<StoredSingle>(p.Parameter, n, left, p.IsAligned) * p.Keep - move;
        updated.Store<StoredSingle>(p.Parameter, n, left, p.IsAligned);
        if (p.Shadow.Length > 0)
            updated.Store<TStored>(p.Shadow, p.ShadowOffset + n, left, p.IsAligned);
    }

    private readonly struct SquareRoot : IElementFunction
    {
        public static float Of(float x) => XMath.Sqrt(x);
    }
}
