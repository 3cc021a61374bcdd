using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Optimizer;

/// <summary>
/// <c>m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p = keep p - step m / (sqrt(correction v) + eps)</c>, with <c>keep =
/// 1 - lr decay</c>, <c>step = lr / (1 - b1^t)</c> and <c>correction = 1 / (1 - b2^t)</c>, which the host computes in
/// double precision.
/// </summary>
internal struct AdamWOperation : IElementwiseOperation
{
    public ArrayView<float> Parameter, Gradient, FirstMoment, SecondMoment;
    public float GradientScale, Beta1, Beta2, NewFirst, NewSecond, Step, SecondCorrection, Epsilon, Keep;

    public readonly long Count => Parameter.Length;

    public readonly void Apply(long index)
    {
        float g = Gradient[index] * GradientScale;
        float m = Beta1 * FirstMoment[index] + NewFirst * g;
        float v = Beta2 * SecondMoment[index] + NewSecond * g * g;
        FirstMoment[index] = m;
        SecondMoment[index] = v;
        Parameter[index] = Parameter[index] * Keep - Step * m / (XMath.Sqrt(v * SecondCorrection) + Epsilon);
    }
}
