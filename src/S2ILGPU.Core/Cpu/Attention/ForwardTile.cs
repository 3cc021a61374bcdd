using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// <c>O = softmax(scale Q K^T) V</c> for a tile of up to 64 queries. Lanes are queries: <c>S^T = K Q^T</c> and <c>O^T =
/// V^T P^T</c>, so softmax has no step across lanes; the column maximum is found while scores are stored, and O is
/// rescaled while it is loaded. Keys come in groups of up to 64.
/// </summary>
/// <remarks>Belongs to one worker.</remarks>
/// <param name="blocking">How products are cut for the caches.</param>
internal sealed unsafe class ForwardTile<T>(Blocking blocking)
    where T : unmanaged, ISimd<T>
{
    private const int Lanes = TileQueries.MaxLanes, Keys = TokenGroup.MaxTokens;

    private readonly TokenGroup _group = new();
    // keys of the group that a pair of registers of lanes sees, by first lane
    private readonly int[] _visible = new int[Lanes];
    // panels of lanes of [D, pair], [keys, pair], [D, pair]
    private float* _query, _scores, _output;
    private float* _keyCopy, _valueCopy, _valueTiles;                           // [keys, D], [keys, D], packed V
    private float* _max, _sum, _factor, _groupMax, _limit, _logSumExp;           // [lanes]
    private int _headDim, _columns, _seenBlocks;
    private TileQueries _queries;

    private static int Pair => RegisterKernels<T>.PairWidth;

    /// <summary>Floats of scratch memory for a head size.</summary>
    public static long ScratchFloats(int headDim) =>
        2L * headDim * Lanes + 2L * Keys * headDim + TokenSum<T>.PackedFloats(headDim) + Keys * Lanes + 6 * Lanes;

    /// <summary>Gives the tile its scratch memory.</summary>
    public void Prepare(float* scratch, int headDim)
    {
        _headDim = headDim;
        _query = scratch;
        _scores = _query + headDim * Lanes;
        _output = _scores + Keys * Lanes;
        _keyCopy = _output + headDim * Lanes;
        _valueCopy = _keyCopy + Keys * headDim;
        _valueTiles = _valueCopy + Keys * headDim;
        _max = _valueTiles + TokenSum<T>.PackedFloats(headDim);
        _sum = _max + Lanes;
        _factor = _sum + Lanes;
        _groupMax = _factor + Lanes;
        _limit = _groupMax + Lanes;
        _logSumExp = _limit + Lanes;
    }

    /// <summary>First position of the keys that <see cref="Add"/> takes next; beyond all positions when there are
    /// none.</summary>
    public int NextKey { get; private set; }

    /// <summary>Takes queries, and finds the first keys of a walk over those that they see.</summary>
    public void Begin(in TileQueries queries, HeadTensor query, float scale, ref TokenWalk walk)
    {
        _queries = queries;
        Load(query, scale);
        Advance(ref walk);
    }

    /// <summary>Adds the keys found last, and finds the next ones.</summary>
    public void Add(bool isCausal, in TokenRows keys, in TokenRows values, ref TokenWalk walk)
    {
        CountVisible(isCausal);
        Scores(isCausal, keys);
        Softmax();
        Values(values);
        Advance(ref walk);
    }

    /// <summary>Writes O and LSE.</summary>
    /// <returns>False, with nothing useful written, when a score or a sum left the range of ordinary
    /// numbers.</returns>
    public bool End(in TileResult result)
    {
        Statistics();
        bool hasEmpty = _seenBlocks != (1 << _queries.Blocks) - 1;
        for (int head = 0, lane = 0; head < _queries.Heads; head++)
            for (int token = 0; token < _queries.Tokens; token++, lane++)
            {
                bool isEmpty = hasEmpty && (_seenBlocks >> _queries.BlockOf(lane) & 1) == 0;
                if (isEmpty)
                    (_logSumExp[lane], _factor[lane]) = (float.NegativeInfinity, 0);
                else if (!(_max[lane] > OnlineSoftmax<T>.Seen && _sum[lane] > 0 && float.IsFinite(_sum[lane])))
                    return false;
                result.SetLogSumExp(head, token, _logSumExp[lane]);
            }
        new Span<float>(_factor + _queries.Lanes, Lanes - _queries.Lanes).Clear();
        if (!Normalize())
            return false;
        for (int lane = 0, run; lane < _queries.Lanes; lane += run)
        {
            run = _queries.RunOf(lane, Pair);
            BlockMoves<T>.Transpose(Panel(_output, lane, _headDim), Pair, _headDim, run,
                result.Row(_queries.HeadOf(lane), _queries.TokenOf(lane)),
                _queries.Tokens == 1 ? result.HeadStride : result.TokenStride, 1);
        }
        return true;
    }

    private void Advance(ref TokenWalk walk) => NextKey = _group.Fill(ref walk) ? _group.First[0] : int.MaxValue;

    // O^T = V^T P^T + O^T factor, neighbouring lanes that see as many keys together.
    private void Values(in TokenRows values)
    {
        var product = new Product { B = _scores, BStride = Pair, C = _output, CStride = Pair };
        var panels = new PanelStrides(Pair * Keys, Pair * _headDim, blocking.FloatsOfB);
        nint stride = 0;
        float* rows = TokenSum<T>.Packs ? null : values.Rows<T>(_group, _headDim, _valueCopy, out stride);
        var sum = TokenSum<T>.Of(values, _group, rows, stride, _valueTiles);
        for (int lane = 0, end; lane < _columns; lane = end)
        {
            end = lane + Pair;
            while (end < _columns && _visible[end] == _visible[lane])
                end += Pair;
            product.Steps = _visible[lane];
            sum.Multiply<Rescale<T>>(product, panels, lane, Math.Min(end, _columns), new(_factor));
        }
    }

    // Few queries, whose keys no other tile reads.
    private bool IsDecoding => _queries.Lanes < TileQueries.MaxLanes / 2;

    private void Load(HeadTensor query, float scale)
    {
        int lanes = _queries.Lanes;
        _columns = (lanes + T.Count - 1) / T.Count * T.Count;
        _seenBlocks = 0;
        if (_columns != lanes)
            new Span<float>(_query, _headDim * Lanes).Clear();
        float* first = query.Row(_queries.Batch, _queries.FirstRow, _queries.FirstHead);
        for (int lane = 0, run; lane < lanes; lane += run)
        {
            run = _queries.RunOf(lane, Pair);
            BlockMoves<T>.Transpose(first + _queries.HeadOf(lane) * query.HeadStride
                + _queries.TokenOf(lane) * query.TokenStride,
                _queries.Tokens == 1 ? query.HeadStride : query.TokenStride,
                run, _headDim, Panel(_query, lane, _headDim), Pair, scale * SimdMath.Log2E);
        }
        new Span<float>(_output, _headDim * Lanes).Clear();
        var empty = OnlineSoftmax<T>.Empty;
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            T.Store(empty.Max, _max + lane);
            T.Store(empty.Sum, _sum + lane);
        }
    }

    // Where a lane begins in panels of so many rows.
    private static float* Panel(float* panels, int lane, int rows) =>
        panels + (nint)(lane - lane % Pair) * rows + lane % Pair;

    // Above the diagonal a register of lanes sees only the first keys of a group, and the rest is left out. Measured at
    // 4k, D64: dense 1.03x, L16 s8 1.06x; D128 within the noise.
    private void CountVisible(bool isCausal)
    {
        bool isDiagonal = isCausal && _queries.Heads == 1;
        for (int lane = 0; lane < _columns; lane += Pair)
        {
            int end = isDiagonal ? _queries.FirstPosition + lane + Pair : int.MaxValue, visible = 0;
            for (int piece = 0; piece < _group.Pieces; piece++)
                visible += Math.Clamp(end - _group.First[piece], 0, _group.Count[piece]);
            _visible[lane] = visible;
        }
    }

    // S^T = K Q^T of the group, and the largest score of every lane. A tile of keys is read for all queries at once, so
    // that keys may lie anywhere.
    private void Scores(bool isCausal, in TokenRows keys)
    {
        new Span<float>(_groupMax, Lanes).Fill(OnlineSoftmax<T>.Masked);
        var product = new Product { RowStride = keys.Stride, B = _query, BStride = Pair, C = _scores, CStride = Pair,
            Steps = _headDim };
        var panels = new PanelStrides(Pair * _headDim, Pair * Keys, blocking.FloatsOfB);
        float* copy = IsDecoding || keys.ElementType != ElementType.Float32
            ? keys.Rows<T>(_group, _headDim, _keyCopy, out product.RowStride, isReadOnce: true)
            : null;
        int allBlocks = (1 << _queries.Blocks) - 1;
        for (int piece = 0, row = 0; piece < _group.Pieces; row += _group.Count[piece++])
        {
            int first = _group.First[piece], count = _group.Count[piece], mask = _group.Mask[piece];
            product.A = copy == null ? (float*)keys.At(first) : copy + row * _headDim;
            product.C = _scores + row * Pair;
            _seenBlocks |= mask;
            if (mask == allBlocks && !(isCausal && first + count - 1 > _queries.FirstPosition)
                && !_queries.HidesBefore(first))
            {
                RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, TrackMax<T>>(product, panels, count, 0,
                    _columns, new(_groupMax));
                continue;
            }
            SetLimits(first, mask, isCausal);
            for (int lane = 0; lane < _columns; lane += Pair)
            {
                int end = Math.Min(lane + Pair, _columns), visible = Math.Clamp(_visible[lane] - row, 0, count);
                RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, Overwrite<T>>(product, panels, visible, lane,
                    end, default);
                if (_queries.HidesBefore(first))
                    HideBeforeWindow(Panel(product.C, lane, Keys), first, visible, lane, end);
                MaskAndMax(Panel(product.C, lane, Keys), visible, lane, end);
            }
        }
    }

    // The last key of a piece that each lane sees, counted from the piece's first key; -1 for none.
    private void SetLimits(int firstKey, int mask, bool isCausal)
    {
        int lane = 0;
        for (int head = 0; head < _queries.Heads; head++)
            for (int token = 0; token < _queries.Tokens; token++, lane++)
            {
                int position = _queries.FirstPosition + token,
                    block = position / _queries.BlockTokens - _queries.FirstBlock;
                _limit[lane] = (mask >> block & 1) == 0 ? -1 : isCausal ? position - firstKey : Keys;
            }
        for (; lane < _columns; lane++)
            _limit[lane] = Keys;
    }

    // Few groups meet the start of a window: lane by lane.
    private void HideBeforeWindow(float* scores, int firstKey, int keys, int firstLane,
        int laneEnd)
    {
        for (int lane = firstLane; lane < Math.Min(laneEnd, _queries.Lanes); lane++)
        {
            int hidden = Math.Clamp(_queries.WindowStartOf(lane) - firstKey, 0, keys);
            for (int key = 0; key < hidden; key++)
                scores[key * Pair + lane - firstLane] = OnlineSoftmax<T>.Masked;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MaskAndMax(float* scores, int keys, int firstLane, int laneEnd)
    {
        T masked = T.Create(OnlineSoftmax<T>.Masked);
        for (int lane = firstLane; lane < laneEnd; lane += T.Count, scores += T.Count)
        {
            T limit = T.Load(_limit + lane), max = T.Load(_groupMax + lane);
            float* score = scores;
            for (int key = 0; key < keys; key++, score += Pair)
            {
                T s = T.SelectGreaterOrEqual(limit, T.Create(key), T.Load(score), masked);
                max = T.Max(max, s);
                T.Store(s, score);
            }
            T.Store(max, _groupMax + lane);
        }
    }

    // P = 2^(S - m), l and the factor of what came before, lane by lane.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax()
    {
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            int keys = _visible[lane / Pair * Pair];
            var softmax = new OnlineSoftmax<T>(T.Load(_max + lane), T.Load(_sum + lane));
            T.Store(softmax.Raise(T.Load(_groupMax + lane)), _factor + lane);
            T sum0 = T.Zero, sum1 = T.Zero;
            float* p = Panel(_scores, lane, Keys);
            int key = 0;
            for (; key + 2 <= keys; key += 2, p += 2 * Pair)
            {
                T p0 = T.Load(p), p1 = T.Load(p + Pair);
                softmax.Weigh(ref p0, ref p1);
                T.Store(p0, p);
                T.Store(p1, p + Pair);
                sum0 += p0;
                sum1 += p1;
            }
            for (; key < keys; key++, p += Pair)
            {
                T weight = softmax.Weigh(T.Load(p));
                T.Store(weight, p);
                sum0 += weight;
            }
            softmax.Add(sum0 + sum1);
            T.Store(softmax.Max, _max + lane);
            T.Store(softmax.Sum, _sum + lane);
        }
    }

    // LSE and 1 / l of every lane.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Statistics()
    {
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            T sum = T.Load(_sum + lane);
            T.Store((T.Load(_max + lane) + T.Log2(sum)) * T.Create(SimdMath.Ln2), _logSumExp + lane);
            T.Store(T.Create(1) / sum, _factor + lane);
        }
    }

    // O *= 1 / l. False when an element is not finite.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Normalize()
    {
        T zeros = T.Zero;
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            T factor = T.Load(_factor + lane);
            float* o = Panel(_output, lane, _headDim);
            for (int d = 0; d < _headDim; d++, o += Pair)
            {
                T value = T.Load(o) * factor;
                zeros = T.FusedMultiplyAdd(value, T.Zero, zeros);
                T.Store(value, o);
            }
        }
        return T.Sum(zeros) == 0;
    }
}
