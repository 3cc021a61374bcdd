using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The backward pass as parallel work: the statistics of the queries, then the items of a <see
/// cref="BackwardPlan"/>, then the sum of dQ where keys were cut into ranges.</summary>
internal sealed unsafe class BackwardWork<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private readonly BackwardPlan _plan = new();
    private readonly BackwardTile<T>[] _tiles;
    private readonly VisibleTiles[] _visible;
    private readonly ScratchMemory _tileScratch = new(), _rowScratch = new(), _gradientScratch = new(),
        _sumScratch = new();
    private readonly StatisticsPass _statistics;
    private readonly RangeSum _rangeSum;
    private readonly ExactPass _exact;
    private readonly HeadCopies<T> _copies = new();
    private bool[] _isBeyondRange = [];                                           // [sequences, KV heads]
    private AttentionBackwardArguments _arguments;
    private readonly WideBackward<T> _wide = new();
    private BackwardTensors _tensors;
    private HeadCopy _query, _outputGradient;
    // [rows], [rows], [gradient rows, padded D], [workers, tiles, dK and dV of a tile]
    private float* _shift, _delta, _gradients, _sums;
    private long _sumFloats;                                                     // of a worker
    private int _heads, _group, _headDim, _paddedDim;

    public BackwardWork(int workers, Blocking blocking)
    {
        _tiles = new BackwardTile<T>[2 * workers];
        for (int w = 0; w < _tiles.Length; w++)
            _tiles[w] = new BackwardTile<T>(blocking);
        _visible = new VisibleTiles[workers];
        for (int w = 0; w < workers; w++)
            _visible[w] = new VisibleTiles();
        _statistics = new StatisticsPass(this);
        _rangeSum = new RangeSum(this);
        _exact = new ExactPass(this);
    }

    /// <summary>Computes dQ, dK and dV of all sequences; rows of padding are left with anything.</summary>
    public void Run(in AttentionBackwardArguments arguments, WorkerPool pool)
    {
        _arguments = arguments;
        (_heads, _headDim) = (arguments.Query.Shape[2], arguments.Query.Shape[3]);
        _group = _heads / arguments.Key.Shape[2];
        _paddedDim = BackwardTile<T>.PaddedDim(_headDim);
        _tensors = _wide.Open(arguments, pool);
        (_query, _outputGradient) = (new HeadCopy(_tensors.Query), new HeadCopy(_tensors.OutputGradient));
        _plan.Make(arguments);
        Reserve();
        int units = _plan.Sequences.Length * (_heads / _group);
        if (_isBeyondRange.Length < units)
            _isBeyondRange = new bool[units];
        _isBeyondRange.AsSpan(0, units).Clear();
        _statistics.Begin();
        pool.Run(_plan.ItemsByRows, _statistics);
        RunItems(pool);
        if (_plan.HasRanges)
            pool.Run(_plan.ItemsByRows, _rangeSum);
        if (_isBeyondRange.AsSpan(0, units).Contains(true))
            pool.Run(units, _exact);
        _wide.Round(pool);
        _arguments = default;
    }

    public void Execute(int item, int worker)
    {
        var (s, head, range) = _plan[item];
        ref readonly var plan = ref _plan.Sequences[s];
        var sequence = plan.Sequence;
        int patternHead = _arguments.Layout.Pattern.PatternHeadOf(head * _group);
        var (start, end) = BackwardPlan.TilesOf(_arguments.Layout, plan, patternHead, range);
        float* gradients = _plan.HasRanges ? RangeGradients(plan, head, range)
            : _gradients + worker * _plan.GradientRows * _paddedDim;
        int firstRow = BackwardPlan.FirstRow(_arguments.Layout, plan, patternHead, range);
        for (int h = 0; h < _group; h++)
            Clear(gradients + ((long)h * sequence.QueryCount + firstRow) * _paddedDim,
                (long)(sequence.QueryCount - firstRow) * _paddedDim);
        var keys = new KeyRange(start, end, _sums + worker * _sumFloats, BackwardTile<T>.SumFloats(_headDim));
        Clear(keys.Sums(start), (long)(end - start) * BackwardTile<T>.SumFloats(_headDim));
        for (int first = sequence.FirstQueryPosition + firstRow, last; first < sequence.KeyCount; first = last)
        {
            last = Math.Min(sequence.KeyCount, (first / _plan.ChunkTokens + 1) * _plan.ChunkTokens);
            AddChunk(plan, head, keys, first, last, gradients, worker);
        }
        bool isFinite = true;
        for (int tile = start; tile < end; tile++)
            isFinite &= Write(sequence, head, tile, keys.Sums(tile));
        for (int h = 0; h < _group && !_plan.HasRanges; h++)
            isFinite &= BlockMoves<T>.Scale(gradients + (long)h * sequence.QueryCount * _paddedDim, _paddedDim,
                sequence.QueryCount, _headDim,
                _tensors.QueryGradient.Row(sequence.Batch, sequence.QueryStart, head * _group + h),
                _tensors.QueryGradient.TokenStride, _arguments.Scale);
        if (!isFinite)
            SetBeyondRange(s, head * _group);
    }

    public void Dispose()
    {
        _copies.Dispose();
        _wide.Dispose();
        _tileScratch.Dispose();
        _rowScratch.Dispose();
        _gradientScratch.Dispose();
        _sumScratch.Dispose();
    }

    // The items, on copies of Q and dO where they pay.
    private void RunItems(WorkerPool pool)
    {
        var shape = _arguments.Query.Shape;
        if (_plan.ReadsPerRow >= HeadCopy.ReadsWorthCopy)
        {
            _query.CopiesRows = !TokenRows.ReadsWell(_query.Source, _headDim);
            _outputGradient.CopiesRows = !TokenRows.ReadsWell(_outputGradient.Source, _headDim);
            _query.Packs = _outputGradient.Packs = TokenSum<T>.Packs;
        }
        int copied = HeadCopies<T>.HeadsAtATime(shape, _query.Copies + _outputGradient.Copies, pool.Workers),
            keyValueHeads = _heads / _group;
        if (copied < _group)
        {
            pool.Run(_plan.Items, this);
            return;
        }
        for (int first = 0, end; first < keyValueHeads; first = end)
        {
            end = Math.Min(keyValueHeads, first + copied / _group);
            _copies.Run(ref _query, ref _outputGradient, shape, new HeadRange(first * _group, end * _group), pool);
            _plan.Select(new HeadRange(first, end));
            pool.Run(_plan.Items, this);
        }
    }

    private void Reserve()
    {
        long floats = ScratchMemory.Aligned(BackwardTile<T>.ScratchFloats(_headDim));
        float* scratch = _tileScratch.Take(floats * _tiles.Length);
        for (int w = 0; w < _tiles.Length; w++)
            _tiles[w].Prepare(scratch + w * floats, _headDim);
        _shift = _rowScratch.Take(2 * _plan.QueryRows);
        _delta = _shift + _plan.QueryRows;
        _sumFloats = (long)_plan.MostTiles * BackwardTile<T>.SumFloats(_headDim);
        _sums = _sumScratch.Take(_sumFloats * _tiles.Length / 2);
        _gradients = _gradientScratch.Take(_plan.GradientRows * _paddedDim * (_plan.HasRanges ? 1 : _tiles.Length / 2));
    }

    // Items of several workers may say so of the same heads.
    private void SetBeyondRange(int sequence, int head) => _isBeyondRange[(sequence * _heads + head) / _group] = true;

    // What the queries from one position to another, of the query heads of a KV head, contribute: to dK and dV of the
    // tiles of a range that they see, and to dQ. Two tiles after each other in that order go through the queries
    // together, so that the second finds them in the nearest cache: neighbours in a window, or two of the stripes.
    private void AddChunk(in BackwardSequence plan, int keyValueHead, in KeyRange keys, int first, int last,
        float* gradients, int worker)
    {
        var layout = _arguments.Layout;
        var tiles = _visible[worker];
        tiles.Clear(keys.End);
        for (int h = 0, before = -1, head; h < _group; h++, before = head)
        {
            head = layout.Pattern.PatternHeadOf(keyValueHead * _group + h);
            if (head != before)
                tiles.Add(layout, head, first / layout.BlockTokens, (last - 1) / layout.BlockTokens + 1);
        }
        var sequence = plan.Sequence;
        BackwardTile<T> one = _tiles[2 * worker], two = _tiles[2 * worker + 1];
        for (int tile = tiles.Next(keys.Start), second; tile < keys.End; tile = tiles.Next(second + 1))
        {
            second = tiles.Next(tile + 1);
            Begin(one, sequence, keyValueHead, tile, keys.Sums(tile));
            if (second < keys.End)
                Begin(two, sequence, keyValueHead, second, keys.Sums(second));
            for (int h = 0; h < _group; h++)
            {
                int head = keyValueHead * _group + h;
                long row = plan.FirstRow + (long)head * sequence.QueryCount;
                int firstQuery = sequence.FirstQueryPosition;
                var queries = new BackwardQueries(
                    _query.Of<T>(sequence.Batch, sequence.QueryStart - firstQuery, head, _headDim),
                    _outputGradient.Of<T>(sequence.Batch, sequence.QueryStart - firstQuery, head, _headDim),
                    _shift + row, _delta + row, gradients + (long)h * sequence.QueryCount * _paddedDim, firstQuery);
                TokenWalk walk = Walk(sequence, head, tile, first, last),
                    secondWalk = second < keys.End ? Walk(sequence, head, second, first, last)
                        : Walk(sequence, head, tile, last, last);
                Add(one, ref walk, two, ref secondWalk, queries);
            }
        }
    }

    private void Add(BackwardTile<T> one, ref TokenWalk walk, BackwardTile<T> two, ref TokenWalk secondWalk,
        in BackwardQueries queries)
    {
        bool isCausal = _arguments.Layout.IsCausal;
        int windowTokens = _arguments.Layout.Pattern.WindowTokens, blockTokens = _arguments.Layout.BlockTokens;
        one.Advance(ref walk);
        two.Advance(ref secondWalk);
        while (Math.Min(one.NextQuery, two.NextQuery) != int.MaxValue)
            if (one.NextQuery <= two.NextQuery)
            {
                one.Add(queries, isCausal, blockTokens, windowTokens);
                one.Advance(ref walk);
                if (two.NextQuery != int.MaxValue)
                    one.Prefetch(queries); // while the second tile takes the queries before
            }
            else
            {
                two.Add(queries, isCausal, blockTokens, windowTokens);
                two.Advance(ref secondWalk);
            }
    }

    private static (int First, int End) KeysOf(in Sequence sequence, int tile) =>
        (tile * BackwardTile<T>.MaxKeys, Math.Min(sequence.KeyCount, (tile + 1) * BackwardTile<T>.MaxKeys));

    private void Begin(BackwardTile<T> work, in Sequence sequence, int head, int tile, float* sums)
    {
        var (first, end) = KeysOf(sequence, tile);
        work.Begin(Rows(_tensors.Key, sequence.Batch, sequence.KeyStart, head),
            Rows(_tensors.Value, sequence.Batch, sequence.KeyStart, head), first, end,
            _arguments.Layout.BlockTokens, _arguments.Scale, sums);
    }

    private bool Write(in Sequence sequence, int head, int tile, float* sums)
    {
        var (first, end) = KeysOf(sequence, tile);
        return BackwardTile<T>.Write(sums, _headDim, end - first,
            _tensors.KeyGradient.Row(sequence.Batch, sequence.KeyStart + first, head),
            _tensors.KeyGradient.TokenStride,
            _tensors.ValueGradient.Row(sequence.Batch, sequence.KeyStart + first, head),
            _tensors.ValueGradient.TokenStride, _arguments.Scale);
    }

    // The queries of a head, between two positions, that see keys of a tile.
    private TokenWalk Walk(in Sequence sequence, int head, int tile, int start, int end)
    {
        var layout = _arguments.Layout;
        var (firstKey, keyEnd) = KeysOf(sequence, tile);
        int firstBlock = firstKey / layout.BlockTokens, blocks = (keyEnd - 1) / layout.BlockTokens - firstBlock + 1;
        var rows = new BlockUnion(layout.ColumnsOf(layout.Pattern.PatternHeadOf(head)), firstBlock, blocks);
        if (layout.IsCausal)
            start = Math.Max(start, firstKey);
        rows.SkipTo(start / layout.BlockTokens);
        return new TokenWalk(rows, layout.BlockTokens, start, end, cut: layout.IsCausal
            ? firstKey + BackwardTile<T>.HalfKeys : 0);
    }

    private TokenRows Rows(HeadTensor tensor, int batch, int firstRow, int head) =>
        new(tensor.Address(batch, firstRow, head), tensor, _headDim);

    // dQ of the heads of a KV head from one range of the keys.
    private float* RangeGradients(in BackwardSequence plan, int keyValueHead, int range) =>
        _gradients + (plan.FirstGradientRow + (long)(keyValueHead * plan.Ranges + range) * _group
        * plan.Sequence.QueryCount) * _paddedDim;

    private static void Clear(float* memory, long floats) =>
        System.Runtime.InteropServices.NativeMemory.Clear(memory, (nuint)(floats * sizeof(float)));

    // Tiles of keys and where the sums of their dK and dV are.
    private readonly ref struct KeyRange(int start, int end, float* sums, int sumFloats)
    {
        public readonly int Start = start, End = end;

        public float* Sums(int tile) => sums + (long)(tile - Start) * sumFloats;
    }

    /// <summary><c>delta = rowsum(O dO) - dLSE</c> and LSE in base 2; items are (sequence, head).</summary>
    private sealed class StatisticsPass(BackwardWork<T> backward) : IParallelWork
    {
        // Where scores are larger, their rounding errors make probabilities above 1.
        private const float LargestScore = 1e6f;

        // Rows with nothing kept get a shift that makes every probability 0.
        private const float NothingKept = 1e38f;

        private HeadTensor _output;
        private RowStatistics _logSumExp, _logSumExpGradient;

        public void Begin()
        {
            _output = backward._tensors.Output;
            _logSumExp = RowStatistics.Of(backward._arguments.LogSumExp);
            _logSumExpGradient = RowStatistics.Of(backward._arguments.LogSumExpGradient);
        }

        public void Execute(int item, int worker)
        {
            var (s, head, first, end) = backward._plan.RowsOf(item, backward._heads);
            ref readonly var plan = ref backward._plan.Sequences[s];
            var sequence = plan.Sequence;
            long row = plan.FirstRow + (long)head * sequence.QueryCount + first;
            for (int token = first; token < end; token++, row++)
            {
                int at = sequence.QueryStart + token;
                float lse = *_logSumExp.At(sequence.Batch, head, at);
                float dot = Dot(_output.Row(sequence.Batch, at, head),
                    backward._outputGradient.Source.Row(sequence.Batch, at, head), backward._headDim);
                backward._shift[row] = float.IsNegativeInfinity(lse) ? NothingKept : lse * SimdMath.Log2E;
                if (Math.Abs(lse) > LargestScore && float.IsFinite(lse))
                    backward.SetBeyondRange(s, head);
                backward._delta[row] = dot - (_logSumExpGradient.Exists
                    ? *_logSumExpGradient.At(sequence.Batch, head, at) : 0);
            }
        }

        private static float Dot(float* a, float* b, int count)
        {
            T sum = T.Zero;
            int i = 0;
            for (; i + T.Count <= count; i += T.Count)
                sum = T.FusedMultiplyAdd(T.Load(a + i), T.Load(b + i), sum);
            float result = T.Sum(sum);
            for (; i < count; i++)
                result += a[i] * b[i];
            return result;
        }
    }

    /// <summary>dQ of a (sequence, head, rows): the ranges that reach the rows summed in their order.</summary>
    private sealed class RangeSum(BackwardWork<T> backward) : IParallelWork
    {
        public void Execute(int item, int worker)
        {
            var (s, head, first, end) = backward._plan.RowsOf(item, backward._heads);
            ref readonly var plan = ref backward._plan.Sequences[s];
            var sequence = plan.Sequence;
            if (first >= end)
                return;
            int patternHead = backward._arguments.Layout.Pattern.PatternHeadOf(head);
            long before = (long)(head % backward._group) * sequence.QueryCount;
            float* sum = backward.RangeGradients(plan, head / backward._group, 0) + (before + first)
                * backward._paddedDim;
            for (int range = 1; range < plan.Ranges; range++)
            {
                int from = Math.Max(first, BackwardPlan.FirstRow(backward._arguments.Layout, plan, patternHead, range));
                Add(backward.RangeGradients(plan, head / backward._group, range) + (before + from)
                    * backward._paddedDim,
                    sum + (long)(from - first) * backward._paddedDim, (long)(end - from) * backward._paddedDim);
            }
            bool isFinite = BlockMoves<T>.Scale(sum, backward._paddedDim, end - first, backward._headDim,
                backward._tensors.QueryGradient.Row(sequence.Batch, sequence.QueryStart + first, head),
                backward._tensors.QueryGradient.TokenStride, backward._arguments.Scale);
            if (!isFinite)
                backward.SetBeyondRange(s, head);
        }

        private static void Add(float* part, float* sum, long floats)
        {
            for (long i = 0; i < floats; i += T.Count)
                T.Store(T.Load(sum + i) + T.Load(part + i), sum + i);
        }
    }

    /// <summary>Computes again, in double precision, what left the range of float32; items are (sequence, KV
    /// head).</summary>
    private sealed class ExactPass(BackwardWork<T> backward) : IParallelWork
    {
        public void Execute(int item, int worker)
        {
            int keyValueHeads = backward._heads / backward._group;
            if (backward._isBeyondRange[item])
                new ExactBackward(backward._arguments, backward._tensors,
                    backward._plan.Sequences[item / keyValueHeads].Sequence,
                    item % keyValueHeads).Run();
        }
    }
}
