using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>A decoder-only transformer: pre-norm, rotary positions, grouped-query attention with a pattern per layer, a
/// feed-forward block. The shape of Llama, with what <see cref="TransformerConfig"/> adds to it.</summary>
/// <remarks>Not thread-safe: one thread drives a model and its engine. Dispose it before the engine.</remarks>
public sealed class TransformerModel : IDisposable
{
    private readonly ParameterSet _parameters;
    private readonly RotaryTable _rotary;
    private readonly LayoutCache _layouts = new();
    private readonly TransformerLayer[] _layers;
    private readonly Variable _embedding, _head;
    private readonly NormLayer _norm;
    private readonly ColumnRanges? _unused;

    /// <summary>Creates a model.</summary>
    /// <param name="engine">The engine that holds it.</param>
    /// <param name="config">Its shape.</param>
    /// <param name="seed">Seed of the initial weights, N(0, 0.02^2) with residual products scaled by 1 / sqrt(2
    /// layers), the same on every platform; null leaves the matrices uninitialised, to be filled through <see
    /// cref="StoredTensors"/>.</param>
    /// <param name="matrixType">How matrices are stored; null for the engine's float type. <see
    /// cref="ElementType.BFloat16"/> and <see cref="ElementType.Float16"/> halve the memory and shorten decoding; such
    /// a model cannot be trained.</param>
    /// <param name="activationType">Element type of the residual stream, of all activations and of their gradients;
    /// null for the engine's float type. With <see cref="ElementType.BFloat16"/>, products read matrices from BFloat16
    /// too: from shadows that the optimizer writes beside the matrices, which stay in the engine's float type.</param>
    /// <param name="tensorRanks">Ranks that share every layer, each with some of the heads and of the feed-forward
    /// block: they make the same model of the same seed, and run each pass together. Null for a whole model. Not
    /// disposed.</param>
    /// <exception cref="ArgumentException">The configuration breaks a rule, the engine does not store matrices or
    /// activations in that type, or the ranks do not divide the key/value heads.</exception>
    public TransformerModel(IEngine engine, TransformerConfig config, ulong? seed = 1, ElementType? matrixType = null,
        ElementType? activationType = null, ICollective? tensorRanks = null)
        : this(engine, config, _ => matrixType ?? engine.FloatType, seed, activationType, tensorRanks)
    {
    }

    /// <summary>The same with a type for each matrix.</summary>
    internal TransformerModel(IEngine engine, TransformerConfig config, Func<ParameterSpec, ElementType> matrixType,
        ulong? seed, ElementType? activationType, ICollective? tensorRanks = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(config);
        (Engine, Config) = (engine, config.Validate());
        Shard = tensorRanks is { Size: > 1 } ? new TensorShard(tensorRanks, config) : null;
        foreach (var attention in config.Attention)
            AttentionRules.CheckWindow("attention", engine,
                attention.CreatePattern(config.QueryHeads, config.KeyValueHeads));
        var specs = ModelParameters.Of(config);
        MatrixType = CheckMatrices(engine, specs.All.Where(spec => spec.Shape.Rank > 1).Select(matrixType));
        ActivationType = Tape.CheckActivations(engine, activationType ?? engine.FloatType);
        _parameters = new ParameterSet(engine, seed, matrixType,
            ActivationType == engine.FloatType ? null : ActivationType);
        _rotary = new RotaryTable(engine, config.ContextTokens, config.RotaryDim, config.RopeTheta,
            config.RopeScaling);
        specs = Shard?.Cut(specs) ?? specs;
        _embedding = _parameters.Create(specs.Embedding);
        var patterns = config.Attention.Distinct()
            .ToDictionary(a => a, a => PatternOf(a, config));
        _layers = new TransformerLayer[config.Layers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new TransformerLayer(config, i, patterns[config.Attention[i]], specs.Layers[i], _parameters,
                Shard);
        _norm = new NormLayer(specs.Norm, config.NormEpsilon, _parameters);
        _head = _parameters.CreateOptional(specs.Head) ?? _embedding;
        _unused = config.UnusedTokens is { } unused ? new ColumnRanges(unused) : null;
        if (seed is not null)
            RefreshShadows();
    }

    /// <summary>The engine.</summary>
    public IEngine Engine { get; }

    /// <summary>The shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>How matrices are stored; of files that mix types, which keep them, the first type that is not the
    /// engine's float type.</summary>
    public ElementType MatrixType { get; }

    /// <summary>Element type of activations and their gradients; the tapes that the model runs on have it
    /// too.</summary>
    public ElementType ActivationType { get; }

    /// <summary>What an optimizer updates, in a fixed order, with unique names; products of one input are fused into
    /// one matrix.</summary>
    public IReadOnlyList<Variable> Parameters => _parameters.Parameters;

    /// <summary>What a file holds: views of the parameters under the names of Hugging Face checkpoints of the
    /// architecture, fused matrices taken apart where those are; no <c>lm_head.weight</c> when tied.</summary>
    /// <exception cref="InvalidOperationException">Ranks share the layers; none has all rows of a file.</exception>
    public IReadOnlyList<StoredTensor> StoredTensors => Shard is null ? _parameters.Stored
        : throw new InvalidOperationException($"{Shard.Ranks} ranks share the layers of the model: save it, and load "
            + "the folder");

    /// <summary>Ranks that share every layer; 1 for a whole model.</summary>
    public int TensorRanks => Shard?.Ranks ?? 1;

    /// <summary>How long prompts are read with blocks that are chosen at run time; null for all blocks. Whole sequences
    /// without gradients and prompts that go into a cache are sampled; decoding reads the full cache.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, a layer is not dense, ranks share the layers,
    /// or the engine does not compute it.</exception>
    public SampleAttentionOptions? SampleAttention
    {
        get => Sample?.Options;
        set => Sample = value is null ? null : new SampleAttention(this, value);
    }

    /// <summary>What was kept since <see cref="SampleAttention"/> was set. Any thread may read it.</summary>
    public SampleAttentionFigures SampleFigures => Sample?.Figures ?? SampleAttentionFigures.None;

    /// <summary>The pattern of each layer, over the heads of this rank.</summary>
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
    public Variable Forward(Tape tape, ReadOnlySpan<int> tokens, int batch, SequenceBatch? sequences = null) =>
        tape.HideColumns(tape.Linear(Hidden(tape, tokens, batch, sequences), _head, resultType: Engine.FloatType),
            _unused);

    /// <summary>The loss of every position: <c>-ln p(target | tokens up to the position)</c>.</summary>
    /// <param name="tape">Where results live.</param>
    /// <param name="tokens">B N token ids, row-major.</param>
    /// <param name="targets">B N ids of the tokens that follow; -1 where nothing is asked (padding).</param>
    /// <param name="batch">B.</param>
    /// <param name="sequences">As for <see cref="Forward"/>.</param>
    /// <returns>[B N], 0 where the target is -1; <c>tape.Backward(losses, 1f / counted)</c> gives the gradient of the
    /// mean. No other op may read them on the way to a gradient. The logits never exist all together; on a recording
    /// tape the forward pass computes the head's gradients too.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Forward"/>; or a target is neither -1 nor in the
    /// vocabulary, or there are not as many as tokens.</exception>
    public Variable Loss(Tape tape, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, int batch,
        SequenceBatch? sequences = null)
    {
        CheckTargets(tokens, targets);
        return Loss(tape, Hidden(tape, tokens, batch, sequences), targets);
    }

    /// <summary>The loss of the positions that this rank has of sequences shared by several.</summary>
    /// <param name="tape">Where results live.</param>
    /// <param name="tokens">B times the ids at the positions of the shard, row-major.</param>
    /// <param name="targets">The tokens that follow; -1 where nothing is asked.</param>
    /// <param name="batch">B.</param>
    /// <param name="shard">Which positions are here, and attention over all.</param>
    /// <param name="contextTokens">N, tokens of a whole sequence.</param>
    /// <returns>A loss per token, as without a shard; the gradients of all ranks add up to those of whole
    /// sequences.</returns>
    /// <exception cref="ArgumentException">As without a shard, or the tokens are not those of the
    /// positions.</exception>
    internal Variable ShardLoss(Tape tape, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, int batch,
        IContextShard shard, int contextTokens)
    {
        CheckTargets(tokens, targets);
        if (Sample is not null)
            throw new InvalidOperationException("sampled attention is not for ranks that share sequences");
        int count = CheckTokens(tokens, batch);
        int[] positions = shard.Positions(contextTokens);
        if (count != positions.Length || contextTokens > Config.ContextTokens)
            throw new ArgumentException($"{count} tokens per sequence, the shard has {positions.Length} of "
                + $"{contextTokens}, and the model takes at most {Config.ContextTokens}");
        // The angles are those of the whole sequence, whatever part of it is here.
        var rotary = _rotary.For(tape, new HashSet<int> { contextTokens });
        int first = rotary.FirstRow(contextTokens);
        int[] all = [.. Enumerable.Repeat(positions, batch).SelectMany(row => row).Select(p => first + p)];
        return Loss(tape, Hidden(tape, tokens, new ForwardPass(batch, count, rotary,
            tape.Upload(all, new Shape(batch, count)), SequenceBatch.Uniform(batch, count, count), _layouts,
            new ShardedAttention(shard, this, contextTokens))), targets);
    }

    /// <summary>Forgets the gradients of all parameters; their memory stays.</summary>
    public void ZeroGradients()
    {
        foreach (var parameter in Parameters)
            parameter.ZeroGradient();
    }

    /// <summary>Rounds all matrices to the shadows that products read. Call it after writing parameters in another way
    /// than through <see cref="AdamWParameter.Shadow"/>; does nothing for a model without shadows.</summary>
    public void RefreshShadows() => _parameters.RefreshShadows();

    /// <summary>Releases parameters, gradients and tables.</summary>
    public void Dispose()
    {
        _parameters.Dispose();
        _rotary.Dispose();
    }

    /// <summary>What chooses blocks at run time; null for nothing.</summary>
    internal SampleAttention? Sample { get; private set; }

    /// <summary>The part of every layer that is here; null for all.</summary>
    internal TensorShard? Shard { get; }

    /// <summary>What each of <see cref="Parameters"/> is as a whole.</summary>
    internal IReadOnlyList<ParameterSpec> Specs => _parameters.Specs;

    internal LayoutCache Layouts => _layouts;

    /// <summary>The values of all parameters as wholes, in their order; the ranks that share layers call it
    /// together.</summary>
    internal float[][] WholeParameters() => [.. Specs.Zip(Parameters, (spec, parameter) =>
        Whole(spec, Engine.ToArray(parameter.Value)))];

    /// <summary>The whole of what has the shape of a parameter of this rank; see <see
    /// cref="WholeParameters"/>.</summary>
    internal float[] Whole(ParameterSpec spec, float[] part) => Shard?.Gather(Engine, spec, part) ?? part;

    // The type of all, or the first one that is not the engine's.
    private static ElementType CheckMatrices(IEngine engine, IEnumerable<ElementType> types)
    {
        ElementType[] others = [.. types.Where(type => type != engine.FloatType).Distinct()];
        foreach (var type in others)
            if (type is not (ElementType.BFloat16 or ElementType.Float16))
                throw new ArgumentException(
                    $"matrices are stored as {engine.FloatType}, {ElementType.BFloat16} or {ElementType.Float16} on "
                    + $"{engine.Name}, not as {type}");
        return others is [var first, ..] ? first : engine.FloatType;
    }

    private AttentionPattern PatternOf(AttentionConfig attention, TransformerConfig config)
    {
        var whole = attention.CreatePattern(config.QueryHeads, config.KeyValueHeads);
        return Shard is null ? whole : whole.SliceHeads(Shard.Heads);
    }

    private Variable Loss(Tape tape, Variable hidden, ReadOnlySpan<int> targets) =>
        tape.LinearCrossEntropy(hidden, _head, tape.Upload(targets, new Shape(targets.Length)), _unused);

    private void CheckTargets(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets)
    {
        if (targets.Length != tokens.Length)
            throw new ArgumentException($"{tokens.Length} tokens but {targets.Length} targets");
        CheckIds("target", targets, -1);
    }

    /// <summary>The angles of most sequences; of all up to the model's context, unless every length has its
    /// own.</summary>
    internal RotaryTable Rotary => _rotary;

    /// <summary>Angles for a cache whose sequences may grow to a number of tokens, where <see cref="Rotary"/> has
    /// others; else null. The caller disposes it.</summary>
    internal RotaryTable? CreateRotary(int tokens) => _rotary.Serves(tokens) ? null
        : new RotaryTable(Engine, tokens, Config.RotaryDim, Config.RopeTheta, Config.RopeScaling);

    /// <summary>The residual stream after the last norm, [B N, C], of whole sequences.</summary>
    private Variable Hidden(Tape tape, ReadOnlySpan<int> tokens, int batch, SequenceBatch? sequences)
    {
        int count = CheckTokens(tokens, batch);
        sequences ??= SequenceBatch.Uniform(batch, count, count);
        var rotary = _rotary.For(tape, LengthsOf(sequences, batch, count));
        return Hidden(tape, tokens, new ForwardPass(batch, count, rotary,
            tape.Upload(PositionsOf(sequences, rotary, batch, count), new Shape(batch, count)), sequences, _layouts,
            null) { Sample = Sample });
    }

    /// <summary>The residual stream after the last norm, [B N, C], over the divisor of the logits.</summary>
    internal Variable Hidden(Tape tape, ReadOnlySpan<int> tokens, in ForwardPass pass)
    {
        var x = Embed(tape, tokens);
        foreach (var layer in _layers)
            x = tape.Segment(x, (layer, pass), static (tape, x, state) => state.layer.Run(tape, x, state.pass));
        return Finish(tape, x, pass);
    }

    /// <summary>The same for passes whose attention is elsewhere. They take turns: while the attention of one is away,
    /// the products of the others are computed here.</summary>
    /// <param name="tape">A tape that does not record.</param>
    /// <param name="tokens">The tokens of all passes, one pass after the other.</param>
    /// <param name="passes">The passes.</param>
    /// <param name="hidden">Receives the stream of each pass.</param>
    internal void HiddenElsewhere(Tape tape, ReadOnlySpan<int> tokens, ReadOnlySpan<ForwardPass> passes,
        Span<Variable> hidden)
    {
        for (int i = 0, first = 0; i < passes.Length; first += passes[i++].Tokens)
            hidden[i] = tape.Segment(Embed(tape, tokens.Slice(first, passes[i].Tokens)), (_layers[0], passes[i]),
                static (tape, x, state) => Sent(tape, x, state.Item1, state.Item2));
        for (int l = 0; l < _layers.Length; l++)
            for (int i = 0; i < passes.Length; i++)
                hidden[i] = tape.Segment(hidden[i], (_layers[l], l + 1 < _layers.Length ? _layers[l + 1] : null,
                    passes[i]), static (tape, x, state) =>
                    Sent(tape, state.Item1.Receive(tape, x, state.Item3), state.Item2, state.Item3));
        for (int i = 0; i < passes.Length; i++)
            hidden[i] = Finish(tape, hidden[i], passes[i]);
    }

    private static Variable Sent(Tape tape, Variable x, TransformerLayer? next, in ForwardPass pass)
    {
        next?.Send(tape, x, pass);
        return x;
    }

    private Variable Embed(Tape tape, ReadOnlySpan<int> tokens) => tape.ActivationType == ActivationType
        ? tape.Scale(tape.Embedding(_embedding, tape.Upload(tokens, new Shape(tokens.Length))),
            Config.EmbeddingMultiplier)
        : throw new ArgumentException(
            $"the model's activations are {ActivationType}, those of the tape {tape.ActivationType}");

    private Variable Finish(Tape tape, Variable x, in ForwardPass pass) =>
        tape.Scale(_norm.Run(tape, x), 1 / Config.LogitDivisor);

    /// <summary>Logits [rows, V] of chosen rows of the residual stream.</summary>
    internal Variable Logits(Tape tape, Variable hidden, ReadOnlySpan<int> rows) =>
        tape.HideColumns(tape.LinearWithFewRows(tape.Embedding(hidden, tape.Upload(rows, new Shape(rows.Length))),
            _head, rows.Length, resultType: Engine.FloatType), _unused);

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

    private HashSet<int> LengthsOf(SequenceBatch sequences, int batch, int count)
    {
        var lengths = new HashSet<int>();
        foreach (var s in sequences.Sequences)
        {
            if (s.QueryCount != s.KeyCount || s.QueryStart != s.KeyStart)
                throw new ArgumentException($"a whole sequence has as many queries as keys in the same rows, got {s}");
            if (s.Batch >= batch || s.QueryCount > count - s.QueryStart)
                throw new ArgumentException($"{s} leaves {batch} rows of {count} tokens");
            if (s.QueryCount > Config.ContextTokens)
                throw new ArgumentException(
                    $"a sequence of {s.QueryCount} tokens is longer than the context of {Config.ContextTokens}");
            lengths.Add(s.QueryCount);
        }
        return lengths;
    }

    private static int[] PositionsOf(SequenceBatch sequences, RotaryTable rotary, int batch, int count)
    {
        var positions = new int[batch * count];
        foreach (var s in sequences.Sequences)
        {
            int first = rotary.FirstRow(s.QueryCount);
            for (int i = 0; i < s.QueryCount; i++)
                positions[s.Batch * count + s.QueryStart + i] = first + i;
        }
        return positions;
    }
}
