using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>A decoder-only transformer: pre-norm RMSNorm, rotary positions, grouped-query attention with a pattern per
/// layer, SwiGLU or GELU. The shape of Llama.</summary>
/// <remarks>Not thread-safe: one thread drives a model and its engine. Dispose it before the engine.</remarks>
public sealed class TransformerModel : IDisposable
{
    private readonly ParameterSet _parameters;
    private readonly RotaryTable _rotary;
    private readonly LayoutCache _layouts = new();
    private readonly TransformerLayer[] _layers;
    private readonly Variable _embedding, _norm, _head;

    /// <summary>Creates a model.</summary>
    /// <param name="engine">The engine that holds it.</param>
    /// <param name="config">Its shape.</param>
    /// <param name="seed">Seed of the initial weights, N(0, 0.02^2) with residual products scaled by 1 / sqrt(2
    /// layers), the same on every platform; null leaves the matrices uninitialised, to be filled through <see
    /// cref="StoredTensors"/>.</param>
    /// <param name="matrixType">How matrices are stored; null for the engine's float type. <see
    /// cref="ElementType.BFloat16"/> halves the memory and the time of decoding; such a model cannot be
    /// trained.</param>
    /// <param name="activationType">Element type of the residual stream, of all activations and of their gradients;
    /// null for the engine's float type. With <see cref="ElementType.BFloat16"/>, products read matrices from BFloat16
    /// too: from shadows that the optimizer writes beside the matrices, which stay in the engine's float type.</param>
    /// <exception cref="ArgumentException">The configuration breaks a rule, or the engine does not store matrices or
    /// activations in that type.</exception>
    public TransformerModel(IEngine engine, TransformerConfig config, ulong? seed = 1, ElementType? matrixType = null,
        ElementType? activationType = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(config);
        (Engine, Config) = (engine, config.Validate());
        MatrixType = matrixType ?? engine.FloatType;
        if (MatrixType != engine.FloatType && MatrixType != ElementType.BFloat16)
            throw new ArgumentException(
                $"matrices are stored as {engine.FloatType} or {ElementType.BFloat16} on {engine.Name}, not as "
                + $"{MatrixType}");
        ActivationType = Tape.CheckActivations(engine, activationType ?? engine.FloatType);
        bool hasShadows = ActivationType != engine.FloatType && MatrixType == engine.FloatType;
        _parameters = new ParameterSet(engine, seed, MatrixType, hasShadows ? ActivationType : null);
        _rotary = new RotaryTable(engine, config.ContextTokens, config.HeadDim, config.RopeTheta,
            config.RopeFactor);
        _embedding = _parameters.Matrix("model.embed_tokens.weight", config.VocabularySize, config.Dim, 0.02);
        var patterns = config.Attention.Distinct()
            .ToDictionary(a => a, a => a.CreatePattern(config.QueryHeads, config.KeyValueHeads));
        _layers = new TransformerLayer[config.Layers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new TransformerLayer(config, i, patterns[config.Attention[i]], _rotary, _parameters);
        _norm = _parameters.Ones("model.norm.weight", config.Dim);
        _head = config.TiedEmbeddings ? _embedding
            : _parameters.Matrix("lm_head.weight", config.VocabularySize, config.Dim, 0.02);
        if (seed is not null)
            RefreshShadows();
    }

    /// <summary>The engine.</summary>
    public IEngine Engine { get; }

    /// <summary>The shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>How matrices are stored.</summary>
    public ElementType MatrixType { get; }

    /// <summary>Element type of activations and their gradients; the tapes that the model runs on have it
    /// too.</summary>
    public ElementType ActivationType { get; }

    /// <summary>What an optimizer updates, in a fixed order, with unique names; products of one input are fused into
    /// one matrix.</summary>
    public IReadOnlyList<Variable> Parameters => _parameters.Parameters;

    /// <summary>What a file holds: views of the parameters under the names of Hugging Face Llama checkpoints, fused
    /// matrices taken apart; no <c>lm_head.weight</c> when tied.</summary>
    public IReadOnlyList<StoredTensor> StoredTensors => _parameters.Stored;

    /// <summary>The pattern of each layer.</summary>
    /// <param name="layer">The layer, from 0.</param>
    public AttentionPattern Pattern(int layer) => _layers[layer].Pattern;

    /// <summary>Logits of every position.</summary>
    /// <param name="tape">Where results live.</param>
    /// <param name="tokens">B N token ids, row-major.</param>
    /// <param name="batch">B.</param>
    /// <param name="sequences">Padded or packed sequences, each its own context with positions from 0; null when every
    /// row is one sequence of N tokens.</param>
    /// <returns>[B N, V], of the engine's float type. The tape owns it.</returns>
    /// <exception cref="ArgumentException">An id is outside the vocabulary, a sequence is longer than the context or
    /// has more keys than queries, the counts do not fit, or the tape has another type of activations.</exception>
    public Variable Forward(Tape tape, ReadOnlySpan<int> tokens, int batch, SequenceBatch? sequences = null)
    {
        int count = CheckTokens(tokens, batch);
        sequences ??= SequenceBatch.Uniform(batch, count, count);
        var pass = new ForwardPass(batch, count,
            tape.Upload(PositionsOf(sequences, batch, count), new Shape(batch, count)), sequences, _layouts, null);
        return tape.Linear(Hidden(tape, tokens, pass), _head, Engine.FloatType);
    }

    /// <summary>The loss of every position: <c>-ln p(target | tokens up to the position)</c>.</summary>
    /// <param name="tape">Where results live.</param>
    /// <param name="tokens">B N token ids, row-major.</param>
    /// <param name="targets">B N ids of the tokens that follow; -1 where nothing is asked (padding).</param>
    /// <param name="batch">B.</param>
    /// <param name="sequences">As for <see cref="Forward"/>.</param>
    /// <returns>[B N], 0 where the target is -1; <c>tape.Backward(losses, 1f / counted)</c> gives the gradient of the
    /// mean.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Forward"/>; or a target is neither -1 nor in the
    /// vocabulary, or there are not as many as tokens.</exception>
    public Variable Loss(Tape tape, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, int batch,
        SequenceBatch? sequences = null)
    {
        if (targets.Length != tokens.Length)
            throw new ArgumentException($"{tokens.Length} tokens but {targets.Length} targets");
        CheckIds("target", targets, -1);
        var logits = Forward(tape, tokens, batch, sequences);
        return tape.SoftmaxCrossEntropy(logits, tape.Upload(targets, new Shape(targets.Length)), overwriteLogits: true);
    }

    /// <summary>Forgets the gradients of all parameters; their memory stays.</summary>
    public void ZeroGradients()
    {
        foreach (var parameter in Parameters)
            parameter.ZeroGradient();
    }

    /// <summary>Rounds all matrices to the shadows that products read. Call it after writing parameters in another way
    /// than through <see cref="AdamWArguments.Shadow"/>; does nothing for a model without shadows.</summary>
    public void RefreshShadows() => _parameters.RefreshShadows();

    /// <summary>Releases parameters, gradients and tables.</summary>
    public void Dispose()
    {
        _parameters.Dispose();
        _rotary.Dispose();
    }

    internal LayoutCache Layouts => _layouts;

    /// <summary>The residual stream after the last norm, [B N, C].</summary>
    internal Variable Hidden(Tape tape, ReadOnlySpan<int> tokens, in ForwardPass pass)
    {
        if (tape.ActivationType != ActivationType)
            throw new ArgumentException(
                $"the model's activations are {ActivationType}, those of the tape {tape.ActivationType}");
        var x = tape.Embedding(_embedding, tape.Upload(tokens, new Shape(tokens.Length)));
        foreach (var layer in _layers)
            x = tape.Segment(x, (layer, pass), static (tape, x, state) => state.layer.Run(tape, x, state.pass));
        return tape.RmsNorm(x, _norm, Config.NormEpsilon);
    }

    /// <summary>Logits [rows, V] of chosen rows of the residual stream.</summary>
    internal Variable Logits(Tape tape, Variable hidden, ReadOnlySpan<int> rows) =>
        tape.Linear(tape.Embedding(hidden, tape.Upload(rows, new Shape(rows.Length))), _head, Engine.FloatType);

    internal void CheckIds(string what, ReadOnlySpan<int> ids, int least = 0)
    {
        for (int i = 0; i < ids.Length; i++)
            if (ids[i] < least || ids[i] >= Config.VocabularySize)
                throw new ArgumentException($"{what} {i} is {ids[i]}, outside {least} to {Config.VocabularySize - 1}");
    }

    private int CheckTokens(ReadOnlySpan<int> tokens, int batch)
    {
        if (batch < 1 || tokens.Length == 0 || tokens.Length % batch != 0)
            throw new ArgumentException($"{tokens.Length} tokens do not make {batch} rows of at least one token");
        CheckIds("token", tokens);
        return tokens.Length / batch;
    }

    private int[] PositionsOf(SequenceBatch sequences, int batch, int count)
    {
        var positions = new int[batch * count];
        foreach (var s in sequences.Sequences)
        {
            if (s.QueryCount != s.KeyCount || s.QueryStart != s.KeyStart)
                throw new ArgumentException($"a whole sequence has as many queries as keys in the same rows, got {s}");
            if (s.Batch >= batch || s.QueryCount > count - s.QueryStart)
                throw new ArgumentException($"{s} leaves {batch} rows of {count} tokens");
            if (s.QueryCount > Config.ContextTokens)
                throw new ArgumentException(
                    $"a sequence of {s.QueryCount} tokens is longer than the context of {Config.ContextTokens}");
            for (int i = 0; i < s.QueryCount; i++)
                positions[s.Batch * count + s.QueryStart + i] = i;
        }
        return positions;
    }
}
