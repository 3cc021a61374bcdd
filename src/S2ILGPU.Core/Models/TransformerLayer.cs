using S2ILGPU.Autograd;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>One pre-norm layer: <c>x += Wo attention(rotary(Wqkv norm(x))), x += Wdown act(Wup norm(x))</c>.</summary>
internal sealed class TransformerLayer
{
    private readonly TransformerConfig _config;
    private readonly TensorShard? _shard;
    private readonly int _queryHeads, _keyValueHeads; // of this rank
    private readonly NormLayer _attentionNorm, _feedForwardNorm;
    private readonly LinearLayer[] _queryKeyValue;
    private readonly LinearLayer _attentionOut, _feedForwardIn, _feedForwardOut;
    private readonly Variable? _queryNorm, _keyNorm;

    public TransformerLayer(TransformerConfig config, int index, AttentionPattern pattern, LayerSpec spec,
        ParameterSet parameters, TensorShard? shard)
    {
        (_config, Index, Pattern, _shard) = (config, index, pattern, shard);
        (_queryHeads, _keyValueHeads) = (pattern.QueryHeads, pattern.KeyValueHeads);
        _attentionNorm = new NormLayer(spec.AttentionNorm, config.NormEpsilon, parameters);
        _queryKeyValue = [.. spec.QueryKeyValue.Select(product => new LinearLayer(product, parameters))];
        _queryNorm = parameters.CreateOptional(spec.QueryNorm);
        _keyNorm = parameters.CreateOptional(spec.KeyNorm);
        _attentionOut = new LinearLayer(spec.Output, parameters, shard);
        _feedForwardNorm = new NormLayer(spec.FeedForwardNorm, config.NormEpsilon, parameters);
        _feedForwardIn = new LinearLayer(spec.FeedForwardIn, parameters);
        _feedForwardOut = new LinearLayer(spec.FeedForwardOut, parameters, shard);
    }

    public int Index { get; }

    public AttentionPattern Pattern { get; }

    /// <summary>x [B N, C] to [B N, C].</summary>
    public Variable Run(Tape tape, Variable x, in ForwardPass pass)
    {
        var attended = Attend(tape, Enter(tape, _attentionNorm.Run(tape, x)), pass);
        return Finish(tape, x, attended, pass);
    }

    /// <summary>The first half of a layer whose attention is elsewhere: queries are sent before keys and values are
    /// computed.</summary>
    public void Send(Tape tape, Variable x, in ForwardPass pass)
    {
        var there = pass.Elsewhere!;
        var entered = _attentionNorm.Run(tape, x);
        there.Query(Index, Turned(tape, entered, 0, 0, _queryHeads, _queryNorm, pass).Value);
        var key = Turned(tape, entered, 1, _queryHeads, _keyValueHeads, _keyNorm, pass);
        var value = Product(tape, entered, 2, _queryHeads + _keyValueHeads, _keyValueHeads, pass);
        there.KeyValue(Index, key.Value, Heads(tape, value, _keyValueHeads, pass).Value);
    }

    /// <summary>The second half: waits for the attention of <see cref="Send"/>.</summary>
    public Variable Receive(Tape tape, Variable x, in ForwardPass pass)
    {
        var attended = tape.New(new Shape(pass.Batch, pass.Tokens, _queryHeads, _config.HeadDim));
        pass.Elsewhere!.Output(Index, attended.Value);
        return Finish(tape, x, Rows(tape, attended, pass), pass);
    }

    private Variable Finish(Tape tape, Variable x, Variable attended, in ForwardPass pass)
    {
        var residual = _attentionOut.Run(tape, attended, pass.FewRows, x);
        var inner = FeedForward(tape, Enter(tape, _feedForwardNorm.Run(tape, residual)), pass.FewRows);
        return _feedForwardOut.Run(tape, inner, pass.FewRows, residual);
    }

    private Variable Enter(Tape tape, Variable x) => _shard?.Enter(tape, x) ?? x;

    private Variable Attend(Tape tape, Variable x, in ForwardPass pass)
    {
        var (query, key, value) = _queryNorm is null ? Fused(tape, x, pass) : Normalized(tape, x, pass);
        var attended = pass.Memory is { } memory
            ? memory.Attend(tape, Index, query, key, value)
            : AttendWhole(tape, query, key, value, pass);
        return Rows(tape, attended, pass);
    }

    private Variable Rows(Tape tape, Variable attended, in ForwardPass pass) =>
        tape.Reshape(attended, new Shape(pass.Batch * pass.Tokens, _queryHeads * _config.HeadDim));

    private Variable AttendWhole(Tape tape, Variable query, Variable key, Variable value, in ForwardPass pass)
    {
        var layout = pass.Layouts.Get(Pattern, pass.Sequences.MaxKeyCount);
        return pass.Sample is { } sample
            ? sample.Attend(tape, Index, query, key, value, layout, pass.Sequences, _config.ScoreScale)
            : tape.Attention(query, key, value, layout, pass.Sequences, _config.ScoreScale);
    }

    // One product, whose query and key heads turn together.
    private (Variable Query, Variable Key, Variable Value) Fused(Tape tape, Variable x, in ForwardPass pass)
    {
        int heads = _queryHeads, keyHeads = _keyValueHeads;
        var fused = Heads(tape, _queryKeyValue[0].Run(tape, x, pass.FewRows), heads + 2 * keyHeads, pass);
        return tape.SplitHeads(tape.RotaryInPlace(fused, heads + keyHeads, pass.Rotary, pass.Positions), heads,
            keyHeads);
    }

    // Three products, as the norms read whole heads as rows.
    private (Variable Query, Variable Key, Variable Value) Normalized(Tape tape, Variable x, in ForwardPass pass) =>
        (Turned(tape, x, 0, 0, _queryHeads, Enter(tape, _queryNorm!), pass),
            Turned(tape, x, 1, 0, _keyValueHeads, Enter(tape, _keyNorm!), pass),
            Heads(tape, Product(tape, x, 2, 0, _keyValueHeads, pass), _keyValueHeads, pass));

    // Queries or keys alone, with a norm where there is one.
    private Variable Turned(Tape tape, Variable x, int product, int firstHead, int heads, Variable? norm,
        in ForwardPass pass)
    {
        var rows = Product(tape, x, product, firstHead, heads, pass);
        if (norm is not null)
            rows = tape.RmsNorm(tape.Reshape(rows, new Shape(pass.Batch * pass.Tokens * heads, _config.HeadDim)), norm,
                _config.NormEpsilon);
        return tape.RotaryInPlace(Heads(tape, rows, heads, pass), heads, pass.Rotary, pass.Positions);
    }

    // One of three products, or its rows of a fused one.
    private Variable Product(Tape tape, Variable x, int product, int firstHead, int heads, in ForwardPass pass) =>
        _queryKeyValue.Length > 1 ? _queryKeyValue[product].Run(tape, x, pass.FewRows)
        : _queryKeyValue[0].RunRange(tape, x, pass.FewRows, firstHead * _config.HeadDim, heads * _config.HeadDim);

    private Variable Heads(Tape tape, Variable x, int heads, in ForwardPass pass) =>
        tape.Reshape(x, new Shape(pass.Batch, pass.Tokens, heads, _config.HeadDim));

    private Variable FeedForward(Tape tape, Variable x, int fewRows)
    {
        var inner = _feedForwardIn.Run(tape, x, fewRows);
        if (_config.Activation == Activation.Gelu)
            return tape.Gelu(inner);
        var (gate, up) = tape.Halves(inner);
        return _config.Activation == Activation.Gegelu
            ? tape.Gegelu(gate, up, _config.ActivationLimit ?? float.PositiveInfinity)
            : tape.SwiGlu(gate, up);
    }
}
