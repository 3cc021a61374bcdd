using System.Numerics;
using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The queries of one head as the backward pass reads them.</summary>
/// <param name="query">Rows of Q.</param>
/// <param name="outputGradient">Rows of dO.</param>
/// <param name="shift">LSE in base 2 of each query, by row.</param>
/// <param name="delta">delta of each query, by row.</param>
/// <param name="gradient">dQ / scale of each query, by row, <c>[Nq, paddedDim]</c>; added to.</param>
/// <param name="firstPosition">Position of the first row.</param>
internal readonly unsafe ref struct BackwardQueries(TokenRows query, TokenRows outputGradient, float* shift,
    float* delta, float* gradient, int firstPosition)
{
    public readonly TokenRows Query = query, OutputGradient = outputGradient;
    public readonly float* Shift = shift, Delta = delta, Gradient = gradient;
    public readonly int FirstPosition = firstPosition;
}

/// <summary>
/// The gradients that a tile of up to 64 keys takes part in. Lanes are keys: <c>P = exp(scale Q K^T - LSE), dS = P (dO
/// V^T - delta)</c>, then <c>dV^T += dO^T P, dK^T += Q^T dS, dQ += dS K</c>. Queries come in groups of up to 64.
/// </summary>
/// <remarks>Belongs to one worker.</remarks>
/// <param name="blocking">How products are cut for the caches.</param>
internal sealed unsafe class BackwardTile<T>(Blocking blocking)
    where T : unmanaged, ISimd<T>
{
    /// <summary>The most keys of a tile.</summary>
    public const int MaxKeys = 64;

    /// <summary>Keys of the first half of a tile. Queries at the diagonal that see no others are best taken by
    /// themselves.</summary>
    public const int HalfKeys = MaxKeys / 2;

    private const int Lanes = MaxKeys, Queries = TokenGroup.MaxTokens;

    private readonly TokenGroup _keys = new(), _group = new();
    private float* _keyTransposed, _valueTransposed;                              // panels of lanes of [D, pair]
    private float* _keyGradient, _valueGradient;                                  // panels of lanes of [D, pair]
    private float* _probability, _scoreGradient;                                  // panels of lanes of [queries, pair]
    private float* _scoreGradientRows;                                            // [queries, lanes]
    private float* _keyCopy, _queryCopy, _gradientCopy;                           // [64, padded D], [64, D], [64, D]
    private float* _queryTiles, _gradientTiles;                                   // packed Q and dO
    private float* _shift, _delta, _firstQuery;                                   // [queries], [queries], [lanes]
    private float* _key;
    private nint _keyStride;
    private int _headDim, _paddedDim, _firstKey, _keyCount, _columns, _blocks, _spanStart, _spanKeys, _spanColumns;

    /// <summary>D rounded up to whole registers.</summary>
    public static int PaddedDim(int headDim) => (headDim + T.Count - 1) / T.Count * T.Count;

    private static int Pair => RegisterKernels<T>.PairWidth;

    /// <summary>Floats of scratch memory for a head size.</summary>
    public static long ScratchFloats(int headDim) =>
        2L * headDim * Lanes + 3L * Queries * Lanes + Queries * (PaddedDim(headDim) + 2L * headDim)
        + 2L * TokenSum<T>.PackedFloats(headDim) + 3 * Lanes;

    /// <summary>Floats of the sums of dK and dV of a tile.</summary>
    public static int SumFloats(int headDim) => 2 * headDim * Lanes;

    /// <summary>Gives the tile its scratch memory.</summary>
    public void Prepare(float* scratch, int headDim)
    {
        _headDim = headDim;
        _paddedDim = PaddedDim(headDim);
        _keyTransposed = scratch;
        _valueTransposed = _keyTransposed + headDim * Lanes;
        _probability = _valueTransposed + headDim * Lanes;
        _scoreGradient = _probability + Queries * Lanes;
        _scoreGradientRows = _scoreGradient + Queries * Lanes;
        _keyCopy = _scoreGradientRows + Queries * Lanes;
        _queryCopy = _keyCopy + Queries * _paddedDim;
        _gradientCopy = _queryCopy + Queries * headDim;
        _queryTiles = _gradientCopy + Queries * headDim;
        _gradientTiles = _queryTiles + TokenSum<T>.PackedFloats(headDim);
        _shift = _gradientTiles + TokenSum<T>.PackedFloats(headDim);
        _delta = _shift + Queries;
        _firstQuery = _delta + Queries;
    }

    /// <summary>Takes the keys <paramref name="firstKey"/> to <paramref name="keyEnd"/>, in blocks of <paramref
    /// name="blockTokens"/>; what their queries contribute to dK and dV is added to <paramref name="sums"/>.</summary>
    public void Begin(in TokenRows keys, in TokenRows values, int firstKey, int keyEnd, int blockTokens, float scale,
        float* sums)
    {
        _keyGradient = sums;
        _valueGradient = sums + _headDim * Lanes;
        (_firstKey, _keyCount) = (firstKey, keyEnd - firstKey);
        _columns = (_keyCount + T.Count - 1) / T.Count * T.Count;
        _blocks = (_keyCount + blockTokens - 1) / blockTokens;
        if (_columns != _keyCount)
            new Span<float>(_keyTransposed, 2 * _headDim * Lanes).Clear();
        for (int lane = 0, run; lane < _keyCount; lane += run)
        {
            run = Math.Min(Pair, _keyCount - lane);
            BlockMoves<T>.Transpose((float*)keys.At(firstKey) + lane * keys.Stride, keys.Stride, run, _headDim,
                _keyTransposed + lane * _headDim, Pair, scale * SimdMath.Log2E);
            BlockMoves<T>.Transpose((float*)values.At(firstKey) + lane * values.Stride, values.Stride, run, _headDim,
                _valueTransposed + lane * _headDim, Pair, 1);
        }
        _keys.SetRange(firstKey, _keyCount);
        _key = keys.Rows<T>(_keys, _paddedDim, _keyCopy, out _keyStride);
    }

    /// <summary>First position of the queries that <see cref="Add"/> takes next; beyond all positions when there are
    /// none.</summary>
    public int NextQuery { get; private set; }

    /// <summary>Finds the next queries of a walk over those that see the tile's keys.</summary>
    public void Advance(ref TokenWalk walk) => NextQuery = _group.Fill(ref walk) ? _group.First[0] : int.MaxValue;

    /// <summary>Asks for the rows of the queries found last before <see cref="Add"/> reads them.</summary>
    public void Prefetch(in BackwardQueries queries)
    {
        for (int piece = 0; piece < _group.Pieces; piece++)
        {
            int first = _group.First[piece], count = _group.Count[piece];
            queries.Query.Prefetch<T>(first, count);
            queries.OutputGradient.Prefetch<T>(first, count);
            CacheLines.Prefetch((byte*)(queries.Gradient + (nint)(first - queries.FirstPosition) * _paddedDim),
                count * _paddedDim * sizeof(float), level: 2);
        }
    }

    /// <summary>Adds what the queries found last contribute.</summary>
    public void Add(in BackwardQueries queries, bool isCausal, int blockTokens, int windowTokens)
    {
        float* query = queries.Query.Rows<T>(_group, _headDim, _queryCopy, out nint queryStride);
        float* gradient = queries.OutputGradient.Rows<T>(_group, _headDim, _gradientCopy, out nint gradientStride);
        GatherStatistics(queries);
        SetSpan(isCausal, blockTokens);
        int rows = _group.Tokens, end = _spanStart + _spanColumns;
        var scores = new Product { A = query, RowStride = queryStride, B = _keyTransposed, BStride = Pair,
            C = _probability, CStride = Pair, Steps = _headDim };
        var toScores = new PanelStrides(Pair * _headDim, Pair * Queries, blocking.FloatsOfB);
        RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, Overwrite<T>>(scores, toScores, rows, _spanStart, end,
            default);
        Probabilities(isCausal, blockTokens, windowTokens);
        var differences = scores with { A = gradient, RowStride = gradientStride, B = _valueTransposed,
            C = _scoreGradient };
        RegisterKernels<T>.MultiplyPanels<AnyStride, UnitStride, WeightedDifference<T>>(differences, toScores, rows,
            _spanStart, end, new((nint)(_probability - _scoreGradient), _delta, _scoreGradientRows, Lanes));
        var values = new Product { B = _probability, BStride = Pair, C = _valueGradient, CStride = Pair, Steps = rows };
        var fromScores = new PanelStrides(Pair * Queries, Pair * _headDim, blocking.FloatsOfB);
        TokenSum<T>.Of(queries.OutputGradient, _group, gradient, gradientStride, _gradientTiles)
            .Multiply<Accumulate<T>>(values, fromScores, _spanStart, end, default);
        TokenSum<T>.Of(queries.Query, _group, query, queryStride, _queryTiles)
            .Multiply<Accumulate<T>>(values with { B = _scoreGradient, C = _keyGradient }, fromScores, _spanStart, end,
            default);
        AddQueryGradients(queries);
    }

    /// <summary>Writes dK and dV of a tile's keys.</summary>
    /// <returns>Whether all of them are finite.</returns>
    public static bool Write(float* sums, int headDim, int keys, float* keyGradient, nint keyStride,
        float* valueGradient, nint valueStride, float scale) =>
        Write(sums, headDim, keys, keyGradient, keyStride, scale)
        & Write(sums + headDim * Lanes, headDim, keys, valueGradient, valueStride, 1);

    private static bool Write(float* panels, int headDim, int keys, float* rows, nint stride, float scale)
    {
        for (int lane = 0; lane < keys; lane += Pair)
            BlockMoves<T>.Transpose(panels + lane * headDim, Pair, headDim, Math.Min(Pair, keys - lane),
                rows + lane * stride, stride, scale);
        return BlockMoves<T>.AreFinite(rows, stride, keys, headDim);
    }

    // The lanes between the first and the last key that the group sees: of a tile of small blocks often only one block,
    // at the diagonal the half of a block.
    private void SetSpan(bool isCausal, int blockTokens)
    {
        int mask = 0;
        for (int piece = 0; piece < _group.Pieces; piece++)
            mask |= _group.Mask[piece];
        int first = BitOperations.TrailingZeroCount(mask), last = BitOperations.Log2((uint)mask);
        _spanStart = first * blockTokens;
        int visible = isCausal ? _group.First[_group.Pieces - 1] + _group.Count[_group.Pieces - 1] - _firstKey
            : _keyCount;
        _spanKeys = Math.Min(Math.Min(_keyCount, visible), (last + 1) * blockTokens) - _spanStart;
        _spanColumns = (_spanKeys + T.Count - 1) / T.Count * T.Count;
    }

    private void GatherStatistics(in BackwardQueries queries)
    {
        for (int piece = 0, row = 0; piece < _group.Pieces; row += _group.Count[piece++])
        {
            int from = _group.First[piece] - queries.FirstPosition, bytes = _group.Count[piece] * sizeof(float);
            Buffer.MemoryCopy(queries.Shift + from, _shift + row, bytes, bytes);
            Buffer.MemoryCopy(queries.Delta + from, _delta + row, bytes, bytes);
        }
    }

    // P = 2^(S - shift), 0 where the query does not see the key.
    private void Probabilities(bool isCausal, int blockTokens, int windowTokens)
    {
        for (int piece = 0, row = 0; piece < _group.Pieces; row += _group.Count[piece++])
        {
            int first = _group.First[piece], count = _group.Count[piece];
            if (SeesWholeSpan(_group.Mask[piece], blockTokens)
                && !(isCausal && first < _firstKey + _spanStart + _spanKeys - 1)
                && first + count - 1 - _firstKey - _spanStart < windowTokens)
            {
                Exponentials(row, count);
                continue;
            }
            for (int lane = _spanStart; lane < _spanStart + _spanColumns; lane++)
                _firstQuery[lane] = isCausal ? lane : 0;
            for (int block = 0; block < _blocks; block++)
                if ((_group.Mask[piece] >> block & 1) == 0)
                    new Span<float>(_firstQuery + block * blockTokens, blockTokens).Fill(float.MaxValue);
            MaskedExponentials(row, count, isCausal ? first - _firstKey : 0);
            if (windowTokens < int.MaxValue)
                HideBeyondWindow(row, count, first - _firstKey, windowTokens);
        }
    }

    // Few groups meet the end of a key's window: row by row.
    private void HideBeyondWindow(int firstRow, int rows, int position, int windowTokens)
    {
        for (int row = 0; row < rows; row++)
        {
            long end = Math.Min((long)position + row - windowTokens + 1, _spanStart + _spanColumns);
            for (int lane = _spanStart; lane < end; lane++)
                Panel(lane)[(firstRow + row) * Pair] = 0;
        }
    }

    private bool SeesWholeSpan(int mask, int blockTokens)
    {
        int blocks = (_spanKeys + blockTokens - 1) / blockTokens;
        return mask >> _spanStart / blockTokens == (1 << blocks) - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Exponentials(int firstRow, int rows)
    {
        for (int lane = _spanStart; lane < _spanStart + _spanColumns; lane += T.Count)
        {
            float* p = Panel(lane) + firstRow * Pair, shift = _shift + firstRow;
            int row = 0;
            for (; row + 2 <= rows; row += 2, p += 2 * Pair, shift += 2)
            {
                T p0 = T.Load(p) - T.Create(shift[0]), p1 = T.Load(p + Pair) - T.Create(shift[1]);
                SimdMath.Exp2(ref p0, ref p1);
                T.Store(p0, p);
                T.Store(p1, p + Pair);
            }
            for (; row < rows; row++, p += Pair, shift++)
                T.Store(SimdMath.Exp2(T.Load(p) - T.Create(*shift)), p);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MaskedExponentials(int firstRow, int rows, int position)
    {
        for (int lane = _spanStart; lane < _spanStart + _spanColumns; lane += T.Count)
        {
            float* p = Panel(lane) + firstRow * Pair;
            T first = T.Load(_firstQuery + lane);
            for (int row = 0; row < rows; row++, p += Pair)
                T.Store(T.SelectGreaterOrEqual(T.Create(position + row), first,
                    SimdMath.Exp2(T.Load(p) - T.Create(_shift[firstRow + row])), T.Zero), p);
        }
    }

    // The probabilities of a lane.
    private float* Panel(int lane) => _probability + (lane - lane % Pair) * Queries + lane % Pair;

    // dQ += dS K, piece by piece because the rows of dQ are apart.
    private void AddQueryGradients(in BackwardQueries queries)
    {
        var product = new Product { A = _scoreGradientRows + _spanStart, RowStride = Lanes,
            B = _key + _spanStart * _keyStride, BStride = _keyStride,
            CStride = _paddedDim, Steps = _spanKeys };
        for (int piece = 0; piece < _group.Pieces; product.A += _group.Count[piece++] * Lanes)
        {
            product.C = queries.Gradient + (nint)(_group.First[piece] - queries.FirstPosition) * _paddedDim;
            RegisterKernels<T>.Multiply<AnyStride, UnitStride,
                Accumulate<T>>(product, _group.Count[piece], _paddedDim, default);
        }
    }
}
