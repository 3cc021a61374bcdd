using S2ILGPU.Autograd;
using S2ILGPU.Ops;

namespace S2ILGPU.Models;

/// <summary><c>x W^T</c>, and <c>+ b</c> where there is a bias.</summary>
/// <param name="spec">Its parameters.</param>
/// <param name="parameters">Where they are created.</param>
/// <param name="partial">Sums results over the ranks that each have a part of the inputs; null for whole
/// inputs.</param>
internal sealed class LinearLayer(LinearSpec spec, ParameterSet parameters, TensorShard? partial = null)
{
    private readonly Variable _weight = parameters.Create(spec.Weight);
    private readonly Variable? _bias = parameters.CreateOptional(spec.Bias);

    /// <summary>[T, in] to [T, out], with the first rows as few rows are computed, and plus a residual [T, out] where
    /// one is given.</summary>
    public Variable Run(Tape tape, Variable x, int fewRows, Variable? residual = null)
    {
        if (partial is null)
            return tape.LinearWithFewRows(x, _weight, fewRows, _bias, residual);
        // what is the same on every rank must be added after the sum over the ranks
        var y = tape.LinearWithFewRows(x, _weight, fewRows);
        partial.Leave(y);
        y = _bias is null ? y : tape.AddBias(y, _bias);
        return residual is null ? y : tape.AddInto(y, residual);
    }

    /// <summary>Some of the outputs, [T, in] to [T, count], without gradients.</summary>
    public Variable RunRange(Tape tape, Variable x, int fewRows, int start, int count) => tape.LinearWithFewRows(x,
        Range(_weight, start, count), fewRows, _bias is null ? null : Range(_bias, start, count));

    private static Variable Range(Variable parameter, int start, int count)
    {
        var range = parameter.KeptView(ViewKey.Range(parameter.Shape, 0, start, count));
        if (parameter.Shadow is { } shadow)
            range.Shadow ??= shadow.Slice(0, start, count);
        return range;
    }
}

/// <summary>A norm of rows: RMS, or with mean and bias where there is a bias.</summary>
internal sealed class NormLayer(NormSpec spec, float epsilon, ParameterSet parameters)
{
    private readonly Variable _weight = parameters.Create(spec.Weight);
    private readonly Variable? _bias = parameters.CreateOptional(spec.Bias);

    /// <summary>[T, C] to [T, C].</summary>
    public Variable Run(Tape tape, Variable x) => _bias is null
        ? tape.RmsNorm(x, _weight, epsilon) : tape.LayerNorm(x, _weight, _bias, epsilon);
}
