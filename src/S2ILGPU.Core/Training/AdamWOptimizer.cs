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
    private readonly Func<double>? _squares;

    /// <summary>Creates an optimizer with zero moments.</summary>
    /// <param name="engine">The engine that holds the parameters.</param>
    /// <param name="parameters">The parameters, each with a name; kept, not disposed.</param>
    /// <param name="options">Betas, epsilon, decay, clipping.</param>
    public AdamWOptimizer(IEngine engine, IReadOnlyList<Variable> parameters, TrainingOptions options)
        : this(engine, parameters, options, null)
    {
    }

    /// <summary>Creates an optimizer for parameters, or for the parts of them that belong to a rank.</summary>
    /// <param name="engine">The engine that holds them.</param>
    /// <param name="parameters">The parts; kept, not disposed.</param>
    /// <param name="options">As for all.</param>
    /// <param name="squares">The sum of squares of the whole gradient; null for that of the parameters here.</param>
    internal AdamWOptimizer(IEngine engine, IReadOnlyList<Variable> parameters, TrainingOptions options,
        Func<double>? squares)
    {
        _squares = squares;
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
        double norm = Math.Sqrt(_squares?.Invoke() ?? OwnSquares());
        if (!double.IsFinite(norm))
            throw new InvalidOperationException(
                $"the gradient of step {step} is not finite (norm {norm}); lower the learning rate or clip");
        float scale = _options.ClipNorm > 0 && norm > _options.ClipNorm ? (float)(_options.ClipNorm / norm) : 1f;
        _engine.AdamW(new AdamWArguments([.. Updates()], learningRate, _options.Beta1, _options.Beta2, _options.Epsilon,
            step, scale));
        return norm;
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        _sumOfSquares.Dispose();
        foreach (var moment in FirstMoments.Concat(SecondMoments))
            moment.Dispose();
    }

    private double OwnSquares()
    {
        _engine.SumOfSquares([[.. _parameters.Select(parameter => parameter.Gradient).OfType<Tensor>()]],
            _sumOfSquares);
        Span<float> sum = stackalloc float[1];
        _engine.Download(_sumOfSquares, sum);
        return sum[0];
    }

    private IEnumerable<AdamWParameter> Updates()
    {
        for (int i = 0; i < _parameters.Count; i++)
            if (_parameters[i].Gradient is { } gradient)
                yield return new AdamWParameter(_parameters[i].Value, gradient, FirstMoments[i], SecondMoments[i],
                    _parameters[i].Value.Shape.Rank > 1 ? _options.WeightDecay : 0f, _parameters[i].Shadow);
    }

    private Tensor Zeros(Variable parameter)
    {
        var moment = _engine.Allocate(parameter.Value.Shape, _engine.FloatType);
        _engine.Fill(moment, 0);
        return moment;
    }
}
