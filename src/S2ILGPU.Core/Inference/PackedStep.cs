using S2ILGPU.Autograd;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>A forward pass over new tokens of any mix of sequences, single tokens and chunks of prompts, packed [1, sum
/// of tokens] without padding.</summary>
/// <remarks>On the CPU engine a token gets the same bits whatever else is in the step: sequences of few tokens come
/// first, and products compute their rows as they compute one row. What still matters is how a sequence's own tokens
/// are cut into chunks. Not thread-safe.</remarks>
internal sealed class PackedStep : IDisposable
{
    /// <summary>The most new tokens of a sequence whose rows are computed as few rows are: those of a decoding
    /// sequence, or of the short end of a prompt.</summary>
    internal const int FewTokens = 8;

    private readonly TransformerModel _model;
    private readonly KeyValueCache _cache;
    private readonly Tape _tape;
    private readonly RotaryTable? _ownRotary;
    private readonly List<Part> _parts = [];
    private readonly StepRows[] _rows;
    private readonly ForwardPass[] _passes = new ForwardPass[KeyValueCache.Passes];
    private readonly PassRange[] _ranges = new PassRange[KeyValueCache.Passes];
    private readonly Variable[] _hidden = new Variable[KeyValueCache.Passes];
    private int[] _input = [], _tokens = [], _positions = [], _logitRows = [];
    private float[] _logits = [];

    public PackedStep(TransformerModel model, KeyValueCache cache)
    {
        (_model, _cache) = (model, cache);
        _tape = new Tape(model.Engine, recording: false, activationType: model.ActivationType);
        _rows = new StepRows[cache.Sequences];
        _ownRotary = model.CreateRotary(cache.MaxTokens);
    }

    /// <summary>Number of tokens.</summary>
    public int Tokens { get; private set; }

    // What a sequence may grow to decides about its angles, as those of keys in the cache stay.
    private RotaryTable Rotary => _ownRotary ?? _model.Rotary;

    /// <summary>Number of parts, one for each sequence that gets tokens.</summary>
    public int Parts => _parts.Count;

    /// <summary>Starts an empty step.</summary>
    public void Begin()
    {
        _parts.Clear();
        Tokens = 0;
    }

    /// <summary>Adds the next tokens of a sequence.</summary>
    /// <param name="sequence">A sequence that has no tokens in the step yet.</param>
    /// <param name="tokens">At least one token id of the vocabulary.</param>
    /// <param name="logits">How many of the tokens, from the last on, get the logits of the token that
    /// follows.</param>
    public void Add(int sequence, ReadOnlySpan<int> tokens, int logits)
    {
        if (_parts.Count == _rows.Length)
            throw new ArgumentException($"a step has at most {_rows.Length} parts, one for each sequence");
        Grow(ref _input, Tokens + tokens.Length);
        tokens.CopyTo(_input.AsSpan(Tokens));
        _parts.Add(new Part(sequence, Tokens, tokens.Length, logits, 0));
        Tokens += tokens.Length;
    }

    /// <summary>Whether the pages of the step fit into some bytes.</summary>
    public bool Fits(long maxBytes)
    {
        Place();
        return _cache.BytesNeeded(_rows.AsSpan(0, _parts.Count)) <= maxBytes;
    }

    /// <summary>Runs the step.</summary>
    /// <exception cref="ArgumentException">A context is full, or a sequence is named twice.</exception>
    /// <exception cref="InvalidOperationException">The cache may not take that much memory.</exception>
    /// <exception cref="AttentionLostException">What the cache held elsewhere is lost; clear all of it.</exception>
    public void Run()
    {
        int passes = Place();
        try
        {
            for (int i = 0; i < passes; i++)
                _passes[i] = Begin(i);
            if (_cache.Remote is null)
                _hidden[0] = _model.Hidden(_tape, _tokens.AsSpan(0, Tokens), _passes[0]);
            else
                _model.HiddenElsewhere(_tape, _tokens.AsSpan(0, Tokens), _passes.AsSpan(0, passes), _hidden);
            for (int i = 0; i < passes; i++)
                _cache.End(i);
            for (int i = 0, row = 0; i < passes; i++)
                row = ReadLogits(i, row);
        }
        finally
        {
            _tape.Reset();
        }
    }

    /// <summary>The logits [V] of the token that follows one of a part, until the next step.</summary>
    /// <param name="part">The part, in the order of <see cref="Add"/>.</param>
    /// <param name="token">The token, from the first that gets logits.</param>
    public ReadOnlySpan<float> Logits(int part, int token = 0) => _logits.AsSpan(
        (_parts[part].LogitRow + token) * _model.Config.VocabularySize, _model.Config.VocabularySize);

    /// <summary>What sampled attention kept of a part's sequence in the step; null where it was dense.</summary>
    /// <param name="part">The part, in the order of <see cref="Add"/>.</param>
    public SampleCertificate? Sampled(int part) => _model.Sample?.OfPass(_parts[part].Sequence);

    public void Dispose()
    {
        _tape.Dispose();
        _ownRotary?.Dispose();
    }

    // Parts of the first passes: one pass here; elsewhere two of about as many tokens, where there are two parts.
    private int EndOfFirst()
    {
        int end = 0;
        for (int tokens = 0; end < _parts.Count && (_cache.Remote is null || 2 * tokens < Tokens); end++)
            tokens += _parts[end].Count;
        return _cache.Remote is not null && end == _parts.Count ? Math.Max(1, end - 1) : end;
    }

    // Returns the number of passes.
    private int Place()
    {
        Grow(ref _tokens, Tokens);
        Grow(ref _positions, Tokens);
        int end = EndOfFirst();
        _ranges[0] = PlacePass(0, end, 0);
        if (end == _parts.Count)
            return 1;
        _ranges[1] = PlacePass(end, _parts.Count, _ranges[0].Tokens);
        return 2;
    }

    // Sequences of few tokens first.
    private PassRange PlacePass(int firstPart, int endPart, int firstToken)
    {
        int placed = firstToken;
        for (int i = firstPart; i < endPart; i++)
            if (_parts[i].Count <= FewTokens)
                placed = Place(i, firstToken, placed);
        int few = placed - firstToken;
        for (int i = firstPart; i < endPart; i++)
            if (_parts[i].Count > FewTokens)
                placed = Place(i, firstToken, placed);
        return new PassRange(firstPart, endPart - firstPart, firstToken, placed - firstToken, few);
    }

    private int Place(int index, int firstToken, int placed)
    {
        var part = _parts[index];
        int length = _cache.Length(part.Sequence), first = Rotary.FirstRow(_cache.MaxTokens);
        _input.AsSpan(part.First, part.Count).CopyTo(_tokens.AsSpan(placed));
        for (int t = 0; t < part.Count; t++)
            _positions[placed + t] = first + length + t;
        _rows[index] = new StepRows(part.Sequence, placed - firstToken, part.Count);
        return placed + part.Count;
    }

    private ForwardPass Begin(int pass)
    {
        var (firstPart, parts, firstToken, tokens, few) = _ranges[pass];
        var sequences = _cache.Begin(_rows.AsSpan(firstPart, parts), pass);
        var positions = _tape.Upload(_positions.AsSpan(firstToken, tokens), new Shape(1, tokens));
        return new ForwardPass(1, tokens, Rotary, positions, sequences.Batch, _model.Layouts, sequences)
        {
            FewRows = few,
            Elsewhere = _cache.Remote is null ? null : sequences,
        };
    }

    // Downloads the logits of a pass behind those of earlier ones. Returns where they end.
    private int ReadLogits(int pass, int firstRow)
    {
        int vocabulary = _model.Config.VocabularySize, wanted = 0;
        Grow(ref _logitRows, Tokens);
        var (firstPart, parts, _, _, _) = _ranges[pass];
        for (int i = firstPart; i < firstPart + parts; i++)
        {
            _parts[i] = _parts[i] with { LogitRow = firstRow + wanted };
            for (int n = _parts[i].Logits; n > 0; n--)
                _logitRows[wanted++] = _rows[i].FirstRow + _rows[i].Count - n;
        }
        if (wanted == 0)
            return firstRow;
        var logits = _model.Logits(_tape, _hidden[pass], _logitRows.AsSpan(0, wanted));
        Grow(ref _logits, (firstRow + wanted) * vocabulary);
        _model.Engine.Download(logits.Value, _logits.AsSpan(firstRow * vocabulary, wanted * vocabulary));
        return firstRow + wanted;
    }

    private static void Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count)
            Array.Resize(ref array, Math.Max(count, 2 * array.Length));
    }

    // Tokens of a sequence, from First on in the input; how many get logits, and the first row of these.
    private readonly record struct Part(int Sequence, int First, int Count, int Logits, int LogitRow);

    // Parts and tokens of a pass, and its rows of sequences with few tokens.
    private readonly record struct PassRange(int FirstPart, int Parts, int FirstToken, int Tokens, int FewRows);
}
