using System.Collections.Concurrent;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>Local-stride sparse attention with the arguments of DKernel's module of this name: causal, with
/// gradients, without parameters.</summary>
/// <remarks>A part of a past block is never dropped, and gradients work with sequences of different lengths, fewer
/// queries than keys and grouped heads too.</remarks>
/// <seealso href="https://arxiv.org/abs/2407.17678">S2-Attention; reference implementation: DKernel v0.0.2</seealso>
public sealed class LocalStrideSparseAttention : nn.Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly int _numHeads, _maxSeqLen, _blockSize, _localBlocks, _vertStride, _numDenseHeads, _seqDim;
    private readonly int? _numKvHeads;
    private readonly (int Start, int End)? _active;
    private readonly StripeOptions _stripes;
    private readonly CpuEngine? _engine;
    private readonly ConcurrentDictionary<int, BlockLayout> _layouts = new();

    /// <summary>Creates a module.</summary>
    /// <param name="numHeads">H, query heads of the whole pattern.</param>
    /// <param name="maxSeqLen">The most keys of a sequence, in tokens.</param>
    /// <param name="blockSize">Tokens per block: 16, 32, 64 or 128.</param>
    /// <param name="localBlocks">Blocks in the window, the diagonal block included.</param>
    /// <param name="vertStride">One remote block is kept of every so many.</param>
    /// <param name="homoHead">All heads have the stripes of head 0.</param>
    /// <param name="numDenseHeads">The last so many heads of the pattern see everything.</param>
    /// <param name="numKvHeads">Heads of the pattern; null for one per query head, so that the heads of a GQA group
    /// differ.</param>
    /// <param name="activeHeadRange">The heads of the pattern, by their index in the whole, that this module gets, as
    /// in tensor parallelism; null for all.</param>
    /// <param name="headSlidingOffset">Phase of the stripes.</param>
    /// <param name="seqDim">1 for tensors [B, N, H, D], 2 for [B, H, N, D].</param>
    /// <param name="engine">What computes, as in <see cref="TorchAttention.Forward"/>.</param>
    /// <exception cref="ArgumentException">A value breaks its rule; the message has the value.</exception>
    public LocalStrideSparseAttention(int numHeads, int maxSeqLen, int blockSize, int localBlocks, int vertStride,
        bool homoHead = false, int numDenseHeads = 0, int? numKvHeads = null, Range? activeHeadRange = null,
        int headSlidingOffset = 0, int seqDim = 1, CpuEngine? engine = null) : base(nameof(LocalStrideSparseAttention))
    {
        if (seqDim is not (1 or 2))
            throw new ArgumentException($"seqDim is 1 for [B, N, H, D] or 2 for [B, H, N, D], got {seqDim}");
        _numHeads = numHeads;
        _maxSeqLen = maxSeqLen;
        _blockSize = blockSize;
        _localBlocks = localBlocks;
        _vertStride = vertStride;
        _numDenseHeads = numDenseHeads;
        _numKvHeads = numKvHeads;
        _seqDim = seqDim;
        _engine = engine;
        _stripes = new StripeOptions { HeadOffset = headSlidingOffset, HomogeneousHeads = homoHead };
        if (activeHeadRange is { } range)
            _active = (range.Start.GetOffset(PatternHeads), range.End.GetOffset(PatternHeads));
        Layout(numKvHeads ?? numHeads); // checks the arguments
    }

    private int PatternHeads => _numKvHeads ?? _numHeads;

    /// <summary>Attention of the whole tensors with the scale 1 / sqrt(D).</summary>
    /// <param name="query">Q [B, Nq, H, D], or [B, H, Nq, D] with seqDim 2; Float32 or BFloat16, on the CPU.</param>
    /// <param name="key">K [B, Nk, Hkv, D], or [B, Hkv, Nk, D].</param>
    /// <param name="value">V, shaped like K.</param>
    /// <returns>O, shaped like Q.</returns>
    /// <exception cref="ArgumentException">As <see cref="TorchAttention.Forward"/> says, or the heads of the keys do
    /// not fit the pattern.</exception>
    public override Tensor forward(Tensor query, Tensor key, Tensor value) => forward(query, key, value, null);

    /// <summary>Attention with a scale, and with padded or packed sequences.</summary>
    /// <param name="query">As above.</param>
    /// <param name="key">As above.</param>
    /// <param name="value">As above.</param>
    /// <param name="scale">Factor of the scores; null for 1 / sqrt(D).</param>
    /// <param name="sequences">Where sequences lie in the token dimension; rows of none are 0. Null when all have the
    /// tensors' length.</param>
    /// <returns>O, shaped like Q.</returns>
    /// <exception cref="ArgumentException">As above.</exception>
    public Tensor forward(Tensor query, Tensor key, Tensor value, float? scale, SequenceBatch? sequences = null)
    {
        using Tensor q = TokensFirst(query, nameof(query)), k = TokensFirst(key, nameof(key)),
            v = TokensFirst(value, nameof(value));
        var (output, logSumExp) = TorchAttention.Forward(q, k, v, Layout(KeyValueHeads((int)k.shape[2])), scale,
            sequences, _engine);
        logSumExp.Dispose();
        if (_seqDim == 1)
            return output;
        using (output)
            return output.transpose(1, 2);
    }

    // Heads of all keys, of which the module gets a part.
    private int KeyValueHeads(int heads) => _active is { } active
        ? _numKvHeads ?? _numHeads * heads / Math.Max(1, active.End - active.Start)
        : heads;

    private BlockLayout Layout(int keyValueHeads) => _layouts.GetOrAdd(keyValueHeads, heads =>
        BlockLayout.Create(Pattern(heads), _maxSeqLen));

    private AttentionPattern Pattern(int keyValueHeads)
    {
        if (_numKvHeads is { } wanted && wanted != keyValueHeads)
            throw new ArgumentException($"keys have {keyValueHeads} heads, numKvHeads is {wanted}");
        int group = keyValueHeads > 0 ? PatternHeads / keyValueHeads : 0;
        if (group == 0 || PatternHeads % keyValueHeads != 0 || _numDenseHeads % group != 0)
            throw new ArgumentException($"{keyValueHeads} heads of keys do not divide {PatternHeads} heads and "
                + $"{_numDenseHeads} dense heads of the pattern");
        var pattern = new LocalStridePattern(_numHeads, keyValueHeads, _blockSize, _localBlocks, _vertStride,
            _stripes with
            {
                DenseHeads = _numDenseHeads / group,
                SlideByQueryHead = _numKvHeads is null && keyValueHeads != _numHeads,
            });
        return _active is { } active
            ? pattern.SliceHeads((active.Start * _numHeads / PatternHeads)..(active.End * _numHeads / PatternHeads))
            : pattern;
    }

    private Tensor TokensFirst(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.dim() != 4)
            throw new ArgumentException($"{name} has 4 dimensions, got [{string.Join(", ", tensor.shape)}]");
        return _seqDim == 1 ? tensor.alias() : tensor.transpose(1, 2);
    }
}
