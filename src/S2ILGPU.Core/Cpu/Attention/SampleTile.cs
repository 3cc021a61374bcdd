using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// <c>m_b = max_j s_ij, l_b = sum_j 2^(s_ij - m_b)</c> of up to 64 rows i for every piece b of at most 64 keys of one
/// block, then <c>p_ib = l_b 2^(m_b - M) / L</c>: one pass over the keys, and no scores are kept. Lanes are rows:
/// <c>S^T = K Q^T</c>.
/// </summary>
/// <remarks>Belongs to one worker. Costs 2 D multiplications and additions per row and key, half of
/// attention.</remarks>
/// <param name="blocking">How products are cut for the caches.</param>
internal sealed unsafe class SampleTile<T>(Blocking blocking)
    where T : unmanaged, ISimd<T>
{
    /// <summary>The most rows.</summary>
    public const int MaxRows = TileQueries.MaxLanes;

    private const int Keys = TokenGroup.MaxTokens;

    // [rows or keys, D], panels of [D, pair] and [keys, pair]
    private float* _rows, _query, _scores;
    private float* _limit, _max, _factor;                                         // [lanes]
    private float* _pieceMax, _pieceSum;                                          // [pieces, lanes]
    private int _headDim, _columns;

    private static int Pair => RegisterKernels<T>.PairWidth;

    /// <summary>Floats of scratch memory.</summary>
    /// <param name="headDim">D.</param>
    /// <param name="pieces">The most pieces of keys.</param>
    public static long ScratchFloats(int headDim, int pieces) =>
        2L * headDim * MaxRows + Keys * MaxRows + 3 * MaxRows + 2L * pieces * MaxRows;

    /// <summary>Number of pieces of so many keys.</summary>
    public static int Pieces(int keys, int blockTokens) => (keys - 1) / Math.Min(blockTokens, Keys) + 1;

    /// <summary>Gives the tile its scratch memory.</summary>
    public void Prepare(float* scratch, int headDim, int pieces)
    {
        _headDim = headDim;
        _rows = scratch;
        _query = _rows + headDim * MaxRows;
        _scores = _query + headDim * MaxRows;
        _limit = _scores + Keys * MaxRows;
        _max = _limit + MaxRows;
        _factor = _max + MaxRows;
        _pieceMax = _factor + MaxRows;
        _pieceSum = _pieceMax + (nint)pieces * MaxRows;
    }

    /// <summary>Samples some rows of a head.</summary>
    /// <param name="positions">At most <see cref="MaxRows"/> positions, ascending.</param>
    /// <param name="queries">The queries of the head, by position minus <paramref name="firstPosition"/>.</param>
    /// <param name="firstPosition">Position of the first query.</param>
    /// <param name="scale">Factor of the scores.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    /// <param name="keys">The keys, by position.</param>
    /// <param name="sums">Where probabilities are added.</param>
    /// <param name="logSumExp">Receives that of every row.</param>
    public void Run(ReadOnlySpan<int> positions, in TokenRows queries, int firstPosition, float scale, int blockTokens,
        in TokenRows keys, SampleSums sums, Span<double> logSumExp)
    {
        _columns = (positions.Length + T.Count - 1) / T.Count * T.Count;
        Begin(positions, queries, firstPosition, scale);
        int piece = 0, step = Math.Min(blockTokens, Keys), end = positions[^1] + 1;
        for (int first = 0; first < end; first += step, piece++)
            Score(positions, piece, first, Math.Min(step, end - first), keys);
        bool isFinite = Finish(positions.Length, piece, logSumExp);
        if (!sums.AreWanted)
            return;
        Span<int> blocks = stackalloc int[positions.Length];
        for (int lane = 0; lane < blocks.Length; lane++)
            blocks[lane] = positions[lane] / blockTokens;
        for (int p = 0; p < piece; p++)
            Add(blocks, p, p * step / blockTokens, sums);
        if (!isFinite)
            sums.Columns[0] = sums.Slashes[0] = double.NaN;
    }

    private void Begin(ReadOnlySpan<int> positions, in TokenRows queries, int firstPosition, float scale)
    {
        if (_columns != positions.Length)
            new Span<float>(_query, _headDim * MaxRows).Clear();
        for (int lane = 0; lane < positions.Length; lane++)
            queries.Copy<T>(positions[lane] - firstPosition, 1, _rows + lane * _headDim, _headDim);
        for (int lane = 0; lane < positions.Length; lane += Pair)
            BlockMoves<T>.Transpose(_rows + lane * _headDim, _headDim, Math.Min(Pair, positions.Length - lane),
                _headDim, _query + (nint)lane * _headDim, Pair, scale * SimdMath.Log2E);
    }

    private void Score(ReadOnlySpan<int> positions, int piece, int first, int count, in TokenRows keys)
    {
        keys.Copy<T>(first, count, _rows, _headDim);
        var product = new Product { A = _rows, RowStride = _headDim, B = _query, BStride = Pair, C = _scores,
            CStride = Pair, Steps = _headDim };
        var panels = new PanelStrides(Pair * _headDim, Pair * Keys, blocking.FloatsOfB);
        float* max = _pieceMax + (nint)piece * MaxRows;
        new Span<float>(max, MaxRows).Fill(OnlineSoftmax<T>.Masked);
        if (first + count - 1 <= positions[0])
            RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, TrackMax<T>>(product, panels, count, 0, _columns,
                new(max));
        else
        {
            RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, Overwrite<T>>(product, panels, count, 0, _columns,
                default);
            for (int lane = 0; lane < _columns; lane++)
                _limit[lane] = lane < positions.Length ? positions[lane] - first : Keys;
            MaskAndMax(count, max);
        }
        Sum(count, max, _pieceSum + (nint)piece * MaxRows);
    }

    private static float* Panel(float* panels, int lane) => panels + (nint)(lane - lane % Pair) * Keys + lane % Pair;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MaskAndMax(int keys, float* largest)
    {
        T masked = T.Create(OnlineSoftmax<T>.Masked);
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            T limit = T.Load(_limit + lane), max = masked;
            float* score = Panel(_scores, lane);
            for (int key = 0; key < keys; key++, score += Pair)
            {
                T s = T.SelectGreaterOrEqual(limit, T.Create(key), T.Load(score), masked);
                max = T.Max(max, s);
                T.Store(s, score);
            }
            T.Store(max, largest + lane);
        }
    }

    // Where a row sees nothing of a piece all weights are 1, and the factor of the piece is 0 in the end.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Sum(int keys, float* max, float* sum)
    {
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            var softmax = new OnlineSoftmax<T>(T.Load(max + lane), T.Zero);
            float* score = Panel(_scores, lane);
            int key = 0;
            for (; key + 2 <= keys; key += 2, score += 2 * Pair)
            {
                T a = T.Load(score), b = T.Load(score + Pair);
                softmax.Weigh(ref a, ref b);
                softmax.Add(a + b);
            }
            if (key < keys)
                softmax.Add(softmax.Weigh(T.Load(score)));
            T.Store(softmax.Sum, sum + lane);
        }
    }

    // M, 1 / L and the log-sum-exp of every row. False when a score or a sum left the range of ordinary numbers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Finish(int rows, int pieces, Span<double> logSumExp)
    {
        for (int lane = 0; lane < _columns; lane += T.Count)
        {
            T max = T.Load(_pieceMax + lane), sum = T.Zero;
            for (int p = 1; p < pieces; p++)
                max = T.Max(max, T.Load(_pieceMax + (nint)p * MaxRows + lane));
            for (int p = 0; p < pieces; p++)
            {
                nint at = (nint)p * MaxRows + lane;
                sum += T.Load(_pieceSum + at) * SimdMath.Exp2(T.Load(_pieceMax + at) - max);
            }
            T.Store(max, _max + lane);
            T.Store(sum, _factor + lane);
        }
        bool isFinite = true;
        for (int lane = 0; lane < rows; lane++)
        {
            float max = _max[lane], sum = _factor[lane];
            bool isOrdinary = max > OnlineSoftmax<T>.Seen && sum > 0 && float.IsFinite(sum);
            logSumExp[lane] = isOrdinary ? (max + Math.Log2(sum)) * Math.Log(2) : double.NaN;
            isFinite &= isOrdinary;
        }
        for (int lane = 0; lane < _columns; lane++)
            _factor[lane] = 1 / _factor[lane];
        return isFinite;
    }

    private void Add(ReadOnlySpan<int> blocks, int piece, int keyBlock, in SampleSums sums)
    {
        float* weights = _limit;
        nint at = (nint)piece * MaxRows;
        for (int lane = 0; lane < _columns; lane += T.Count)
            T.Store(T.Load(_pieceSum + at + lane) * SimdMath.Exp2(T.Load(_pieceMax + at + lane) - T.Load(_max + lane))
                * T.Load(_factor + lane), weights + lane);
        double column = 0;
        for (int lane = 0; lane < blocks.Length; lane++)
            if (blocks[lane] >= keyBlock)
            {
                column += weights[lane];
                sums.Slashes[blocks[lane] - keyBlock] += weights[lane];
            }
        sums.Columns[keyBlock] += column;
    }
}

/// <summary>Sums of one head, by key block and by distance of blocks; none where they are not wanted.</summary>
internal readonly unsafe record struct SampleSums(nint ColumnSums, nint SlashSums)
{
    public bool AreWanted => ColumnSums != 0;

    public double* Columns => (double*)ColumnSums;

    public double* Slashes => (double*)SlashSums;
}
