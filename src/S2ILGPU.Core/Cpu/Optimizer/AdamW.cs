using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Optimizer;

/// <summary><c>m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p -= lr (m^ / (sqrt(v^) + eps) + decay p)</c> with
/// <c>m^ = m / (1 - b1^t), v^ = v / (1 - b2^t)</c>; a shadow of the parameter is rounded in the same pass.</summary>
internal readonly unsafe struct AdamWOperation : IElementwiseOperation
{
    private readonly float* _parameter, _gradient, _first, _second;
    private readonly ushort* _shadow;
    private readonly float _scale, _beta1, _beta2, _newFirst, _newSecond, _step, _secondCorrection, _epsilon, _keep;

    public AdamWOperation(in AdamWArguments a, in AdamWParameter p)
    {
        _parameter = CpuTensors.Floats(p.Value);
        _gradient = CpuTensors.Floats(p.Gradient);
        _first = CpuTensors.Floats(p.FirstMoment);
        _second = CpuTensors.Floats(p.SecondMoment);
        _shadow = p.Shadow is { } shadow ? (ushort*)CpuTensors.Values<StoredBFloat16>(shadow) : null;
        (_scale, _beta1, _beta2, _epsilon) = (a.GradientScale, a.Beta1, a.Beta2, a.Epsilon);
        (_newFirst, _newSecond) = ((float)(1 - (double)a.Beta1), (float)(1 - (double)a.Beta2));
        _step = (float)(a.LearningRate / (1 - Math.Pow(a.Beta1, a.Step)));
        _secondCorrection = (float)(1 / (1 - Math.Pow(a.Beta2, a.Step)));
        _keep = (float)(1 - (double)a.LearningRate * p.WeightDecay);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var g = T.Load(_gradient + index) * T.Create(_scale);
        var m = T.FusedMultiplyAdd(T.Create(_newFirst), g, T.Create(_beta1) * T.Load(_first + index));
        var v = T.FusedMultiplyAdd(T.Create(_newSecond) * g, g, T.Create(_beta2) * T.Load(_second + index));
        T.Store(m, _first + index);
        T.Store(v, _second + index);
        var move = T.Create(_step) * m / (T.Sqrt(v * T.Create(_secondCorrection)) + T.Create(_epsilon));
        var parameter = T.Load(_parameter + index) * T.Create(_keep) - move;
        T.Store(parameter, _parameter + index);
        if (_shadow != null)
            T.StoreBFloat16(parameter, _shadow + index);
    }
}
