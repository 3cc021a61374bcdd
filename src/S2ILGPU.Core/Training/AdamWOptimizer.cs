using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>AdamW with decoupled weight decay over a set of parameters, with clipping by the global norm.</summary>
/// <remarks>Keeps two moments per parameter. Deterministic. Matrices are decayed, vectors are not.</remarks>
/// <seealso href="https://arxiv.org/abs/1711.05101">Loshchilov and Hutter, Decoupled Weight Decay Regularization,
/// algorithm 2</seealso>
public sealed class AdamWOptimizer : IDisposable
{
    private readonly IEngine _engine;
    private readonly TrainingOptions _options;
    private readonly IReadOnlyList<Variable> _parameters;
    private readonly Tensor _sumOfSquares;

    /// <summary>Creates an optimizer with zero moments.</summary>
    /// <param name="engine">The engine that holds the parameters.</param>
    /// <param name="parameters">The parameters, each with a name; kept, not disposed.</param>
    /// <param name="options">Betas, epsilon, decay, clipping.</param>
    public AdamWOptimizer(IEngine engine, IReadOnlyList<Variable> parameters, TrainingOptions options)
    {
        (_engine, _parameters, _options) = (engine, parameters, options);
        _sumOfSquares = engine.Allocate(new Shape(1), engine.FloatType);
        FirstMoments = [.. parameters.Select(Zeros)];
        SecondMoments = [.. parameters.Select(Zeros)];
    }

    /// <summary>m of each parameter, in the order of the parameters.</summary>
    public IReadOnlyList<Tensor> FirstMoments { get; }

    /// <summary>v of each parameter, in the order of the parameters.</summary>
    public IReadOnlyList<Tensor> SecondMoments { get; }

    /// <summary>Updates every parameter from its gradient.</summary>
    /// <param name="step">Number of the step, from 1.</param>
    /// <param name="learningRate">Learning rate of the step.</param>
    /// <returns>The L2 norm of the whole gradient before clipping.</returns>
    /// <exception cref="InvalidOperationException">The gradient is not finite; the parameters are as they
    /// were.</exception>
    public double Step(int step, float learningRate)
    {
        bool accumulate = false;
        foreach (var parameter in _parameters)
            if (parameter.Gradient is { } gradient)
            {
                _engine.SumOfSquares(gradient, _sumOfSquares, accumulate);
                accumulate = true;
            }
        Span<float> sum = stackalloc float[1];
        _engine.Download(_sumOfSquares, sum);
        double norm = Math.Sqrt(sum[0]);
        if (!double.IsFinite(norm))
            throw new InvalidOperationException(
                $"the gradient of step {step} is not finite (norm {norm}); lower the learning rate or clip");
        float scale = _options.ClipNorm > 0 && norm > _options.ClipNorm ? (float)(_options.ClipNorm / norm) : 1f;
        for (int i = 0; i < _parameters.Count; i++)
            if (_parameters[i].Gradient is { } gradient)
                _engine.AdamW(new AdamWArguments(_parameters[i].Value, gradient, FirstMoments[i], SecondMoments[i],
                    learningRate, _options.Beta1, _options.Beta2,
                    _options.Epsilon, _parameters[i].Value.Shape.Rank > 1 ? _options.WeightDecay : 0f, step, scale,
                    _parameters[i].Shadow));
        return norm;
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        _sumOfSquares.Dispose();
        foreach (var moment in FirstMoments.Concat(SecondMoments))
            moment.Dispose();
    }

    private Tensor Zeros(Variable parameter)
    {
        var moment = _engine.Allocate(parameter.Value.Shape, _engine.FloatType);
        _engine.Fill(moment, 0);
        return moment;
    }
}
