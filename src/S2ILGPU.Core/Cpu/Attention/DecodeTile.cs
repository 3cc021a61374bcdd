using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// <c>O = softmax(scale Q K^T) V</c> for a handful of queries, bound by the speed at which keys and values come from
/// memory: every row of K and V is read once, in place and in order, for all queries of the tile. Lanes are elements of
/// a row: scores are dot products.
/// </summary>
/// <remarks>Belongs to one worker. Measured against lanes of queries (<see cref="ForwardTile{T}"/>): faster up to 8
/// queries.</remarks>
internal sealed unsafe class DecodeTile<T>
    where T : unmanaged, ISimd<T>
{
    private const int MaxRows = TileQueries.MaxDecodeLanes;

    private const int Keys = TokenGroup.MaxTokens;

    private TokenGroup _group = new(), _next = new();
    private readonly OnlineSoftmax<SimdScalar>[] _softmax = new OnlineSoftmax<SimdScalar>[MaxRows];
    private float* _query, _output, _scores;                                      // [rows, D], [rows, D], [rows, keys]
    private int _headDim, _rows, _seenBlocks;

    /// <summary>Whether the tile suits these queries: few of them, and rows of whole registers.</summary>
    public static bool Takes(in TileQueries queries, in TokenRows keys, in TokenRows values) =>
        queries.Lanes <= MaxRows && keys.HeadDim % T.Count == 0 && keys.ElementType == values.ElementType;

    /// <summary>Floats of scratch memory for a head size.</summary>
    public static long ScratchFloats(int headDim) => 2L * MaxRows * headDim + MaxRows * Keys;

    /// <summary>Gives the tile its scratch memory.</summary>
    public void Prepare(float* scratch, int headDim)
    {
        _headDim = headDim;
        _scores = scratch;
        _query = _scores + MaxRows * Keys;
        _output = _query + MaxRows * headDim;
    }

    /// <summary>Attention of the tile over all keys of a walk.</summary>
    public void Run(in TileQueries queries, HeadTensor query, float scale, TokenWalk walk, bool isCausal,
        in TokenRows keys, in TokenRows values,
        in TileResult result)
    {
        var replay = walk;
        Begin(queries, query, scale);
        if (keys.ElementType == ElementType.Float32)
            AddKeys<Float32Element>(queries, walk, isCausal, keys, values);
        else if (keys.ElementType == ElementType.BFloat16)
            AddKeys<BFloat16Element>(queries, walk, isCausal, keys, values);
        else if (keys.HasScales)
            AddKeys<Int8Element>(queries, walk, isCausal, keys, values);
        else
            AddKeys<Float16Element>(queries, walk, isCausal, keys, values);
        if (Finish(queries, result))
            return;
        for (int row = 0; row < _rows; row++)
            ExactAttention.Row(queries, row, query, scale, replay, isCausal, keys, values, result);
    }

    // The pattern jumps, and keys and values lie apart, so the hardware loses the stream at every block: while keys are
    // read, the values of the same tokens are prefetched, and while values are read, the keys of the next group.
    private void AddKeys<TElement>(in TileQueries queries, TokenWalk walk, bool isCausal, in TokenRows keys,
        in TokenRows values)
        where TElement : struct, IRowElement
    {
        for (bool any = _group.Fill(ref walk); any; (_group, _next) = (_next, _group))
        {
            any = _next.Fill(ref walk);
            for (int piece = 0, offset = 0; piece < _group.Pieces; offset += _group.Count[piece++])
            {
                int first = _group.First[piece], count = _group.Count[piece];
                DecodeKernels<T>.Dots<TElement>(_query, _rows, _headDim, keys.Stored(first, count), _scores + offset,
                    Keys, values.Stored(first, count));
                if (keys.HasScales)
                    DecodeKernels<T>.ScaleColumns(_scores + offset, Keys, _rows, keys.Scales(first), count);
                Mask(queries, piece, offset, isCausal);
            }
            Softmax();
            for (int piece = 0, offset = 0; piece < _group.Pieces; offset += _group.Count[piece++])
            {
                int first = _group.First[piece], count = _group.Count[piece];
                if (values.HasScales)
                    DecodeKernels<T>.ScaleColumns(_scores + offset, Keys, _rows, values.Scales(first), count);
                var ahead = any && piece < _next.Pieces ? keys.Stored(_next.First[piece], _next.Count[piece]) : default;
                DecodeKernels<T>.AddWeighted<TElement>(_scores + offset, Keys, _rows, _headDim,
                    values.Stored(first, count), _output, ahead);
            }
        }
    }

    private void Begin(in TileQueries queries, HeadTensor query, float scale)
    {
        (_rows, _seenBlocks) = (queries.Lanes, 0);
        for (int row = 0; row < _rows; row++)
        {
            float* source = query.Row(queries.Batch, queries.FirstRow + row % queries.Tokens,
                queries.FirstHead + row / queries.Tokens);
            BlockMoves<T>.Scale(source, 0, 1, _headDim, _query + row * _headDim, 0, scale * SimdMath.Log2E);
            _softmax[row] = OnlineSoftmax<SimdScalar>.Empty;
        }
        new Span<float>(_output, _rows * _headDim).Clear();
    }

    // Scores of keys that a query does not see.
    private void Mask(in TileQueries queries, int piece, int offset, bool isCausal)
    {
        int first = _group.First[piece], count = _group.Count[piece], mask = _group.Mask[piece];
        _seenBlocks |= mask;
        if (mask == (1 << queries.Blocks) - 1 && !(isCausal && first + count - 1 > queries.FirstPosition)
            && !queries.HidesBefore(first))
            return;
        for (int row = 0; row < _rows; row++)
        {
            int visible = (mask >> queries.BlockOf(row) & 1) == 0 ? 0 : isCausal
                ? Math.Clamp(queries.PositionOf(row) + 1 - first, 0, count) : count;
            int hidden = Math.Clamp(queries.WindowStartOf(row) - first, 0, visible);
            float* scores = _scores + row * Keys + offset;
            new Span<float>(scores, hidden).Fill(OnlineSoftmax<T>.Masked);
            new Span<float>(scores + visible, count - visible).Fill(OnlineSoftmax<T>.Masked);
        }
    }

    // P = 2^(S - m), l, and O rescaled where m rose.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax()
    {
        int keys = (_group.Tokens + T.Count - 1) / T.Count * T.Count;
        for (int row = 0; row < _rows; row++)
        {
            float* scores = _scores + row * Keys;
            for (int key = _group.Tokens; key < keys; key++)
                scores[key] = OnlineSoftmax<T>.Masked;
            T largest = T.Load(scores);
            for (int key = T.Count; key < keys; key += T.Count)
                largest = T.Max(largest, T.Load(scores + key));
            ref var softmax = ref _softmax[row];
            float factor = SimdScalar.Sum(softmax.Raise(SimdScalar.Create(T.MaxElement(largest))));
            if (factor != 1)
                BlockMoves<T>.Scale(_output + row * _headDim, 0, 1, _headDim, _output + row * _headDim, 0, factor);
            var wide = new OnlineSoftmax<T>(T.Create(SimdScalar.Sum(softmax.Max)), T.Zero);
            for (int key = 0; key < keys; key += T.Count)
            {
                T weight = wide.Weigh(T.Load(scores + key));
                T.Store(weight, scores + key);
                wide.Add(weight);
            }
            softmax.Add(SimdScalar.Create(T.Sum(wide.Sum)));
        }
    }

    // Writes O and LSE. False, with nothing useful written, when a score or a sum left the range of ordinary numbers.
    private bool Finish(in TileQueries queries, in TileResult result)
    {
        for (int row = 0; row < _rows; row++)
        {
            float max = SimdScalar.Sum(_softmax[row].Max), sum = SimdScalar.Sum(_softmax[row].Sum);
            int head = row / queries.Tokens, token = row % queries.Tokens;
            float* o = _output + row * _headDim;
            bool isEmpty = (_seenBlocks >> queries.BlockOf(row) & 1) == 0;
            if (!isEmpty && !(max > OnlineSoftmax<T>.Seen && sum > 0 && float.IsFinite(sum) && IsFinite(o)))
                return false;
            result.SetLogSumExp(head, token, isEmpty ? float.NegativeInfinity : (max + MathF.Log2(sum)) * SimdMath.Ln2);
            if (isEmpty)
                new Span<float>(result.Row(head, token), _headDim).Clear();
            else
                BlockMoves<T>.Scale(o, 0, 1, _headDim, result.Row(head, token), 0, 1 / sum);
        }
        return true;
    }

    private bool IsFinite(float* row)
    {
        T zeros = T.Zero;
        for (int d = 0; d < _headDim; d += T.Count)
            zeros = T.FusedMultiplyAdd(T.Load(row + d), T.Zero, zeros);
        return T.Sum(zeros) == 0;
    }
}
