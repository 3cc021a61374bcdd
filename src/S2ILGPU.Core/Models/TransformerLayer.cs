using S2ILGPU.Autograd;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>One pre-norm layer: <c>x += Wo attention(rotary(Wqkv norm(x))), x += Wdown act(Wup norm(x))</c>.</summary>
internal sealed class TransformerLayer
{
    private readonly TransformerConfig _config;
    private readonly RotaryTable _rotary;
    private readonly Variable _attentionNorm, _queryKeyValue, _attentionOut, _feedForwardNorm, _feedForwardIn,
        _feedForwardOut;

    public TransformerLayer(TransformerConfig config, int index, AttentionPattern pattern, RotaryTable rotary,
        ParameterSet parameters)
    {
        (_config, Index, Pattern, _rotary) = (config, index, pattern, rotary);
        // GPT-2's scheme: the residual stream sums 2 products per layer, so each starts smaller by the root of their
        // number.
        double deviation = 0.02, residualDeviation = deviation / Math.Sqrt(2.0 * config.Layers);
        string name = $"model.layers.{index}", attention = $"{name}.self_attn", feedForward = $"{name}.mlp";
        int dim = config.Dim, queries = config.QueryHeads * config.HeadDim,
            keys = config.KeyValueHeads * config.HeadDim, inner = config.FeedForwardDim;
        _attentionNorm = parameters.Ones($"{name}.input_layernorm.weight", dim);
        _queryKeyValue = parameters.Fused($"{attention}.qkv_proj.weight", dim, deviation,
            ($"{attention}.q_proj.weight", queries), ($"{attention}.k_proj.weight", keys),
            ($"{attention}.v_proj.weight", keys));
        _attentionOut = parameters.Matrix($"{attention}.o_proj.weight", dim, queries, residualDeviation);
        _feedForwardNorm = parameters.Ones($"{name}.post_attention_layernorm.weight", dim);
        _feedForwardIn = config.Activation == Activation.SwiGlu
            ? parameters.Fused($"{feedForward}.gate_up_proj.weight", dim, deviation,
                ($"{feedForward}.gate_proj.weight", inner), ($"{feedForward}.up_proj.weight", inner))
            : parameters.Matrix($"{feedForward}.up_proj.weight", inner, dim, deviation);
        _feedForwardOut = parameters.Matrix($"{feedForward}.down_proj.weight", dim, inner, residualDeviation);
    }

    public int Index { get; }

    public AttentionPattern Pattern { get; }

    /// <summary>x [B N, C] to [B N, C].</summary>
    public Variable Run(Tape tape, Variable x, in ForwardPass pass)
    {
        var attended = Attend(tape, tape.RmsNorm(x, _attentionNorm, _config.NormEpsilon), pass);
        var residual = tape.AddInto(tape.Linear(attended, _attentionOut), x);
        var inner = FeedForward(tape, tape.RmsNorm(residual, _feedForwardNorm, _config.NormEpsilon));
        return tape.AddInto(tape.Linear(inner, _feedForwardOut), residual);
    }

    private Variable Attend(Tape tape, Variable x, in ForwardPass pass)
    {
        int heads = _config.QueryHeads, keyHeads = _config.KeyValueHeads, headDim = _config.HeadDim;
        var fused = tape.Reshape(tape.Linear(x, _queryKeyValue),
            new Shape(pass.Batch, pass.Tokens, heads + 2 * keyHeads, headDim));
        fused = tape.RotaryInPlace(fused, heads + keyHeads, _rotary, pass.Positions);
        var (query, key, value) = tape.SplitHeads(fused, heads, keyHeads);
        var attended = pass.Memory is { } memory
            ? memory.Attend(tape, Index, query, key, value)
            : tape.Attention(query, key, value, pass.Layouts.Get(Pattern, pass.Sequences.MaxKeyCount), pass.Sequences);
        return tape.Reshape(attended, new Shape(pass.Batch * pass.Tokens, heads * headDim));
    }

    private Variable FeedForward(Tape tape, Variable x)
    {
        var inner = tape.Linear(x, _feedForwardIn);
        if (_config.Activation == Activation.Gelu)
            return tape.Gelu(inner);
        var (gate, up) = tape.Halves(inner);
        return tape.SwiGlu(gate, up);
    }
}
