using S2ILGPU.Backends;
using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The backward pass as parallel work: the statistics of the queries, then the items of a <see cref="BackwardPlan"/>, then the sum of dQ
/// where keys were cut into ranges.</summary>
internal sealed unsafe class BackwardWork<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private readonly BackwardPlan _plan = new();
    private readonly BackwardTile<T>[] _tiles;
    private readonly ScratchMemory _tileScratch = new(), _rowScratch = new(), _gradientScratch = new();
    private readonly StatisticsPass _statistics;
    private readonly RangeSum _rangeSum;
    private AttentionBackwardArguments _arguments;
    private HeadTensor _query, _key, _value, _outputGradient, _queryGradient, _keyGradient, _valueGradient;
    private float* _shift, _delta, _gradients;                                    // [rows], [rows], [gradient rows, padded D]
    private int _heads, _group, _headDim, _paddedDim;

    public BackwardWork(int workers)
    {
        _tiles = new BackwardTile<T>[workers];
        for (int w = 0; w < workers; w++)
            _tiles[w] = new BackwardTile<T>();
        _statistics = new StatisticsPass(this);
        _rangeSum = new RangeSum(this);
    }

    /// <summary>Computes dQ, dK and dV of all sequences; rows of padding are not touched.</summary>
    public void Run(in AttentionBackwardArguments arguments, WorkerPool pool)
    {
        _arguments = arguments;
        (_heads, _headDim) = (arguments.Query.Shape[2], arguments.Query.Shape[3]);
        _group = _heads / arguments.Key.Shape[2];
        _paddedDim = BackwardTile<T>.PaddedDim(_headDim);
        (_query, _key, _value) = (HeadTensor.Of(arguments.Query), HeadTensor.Of(arguments.Key), HeadTensor.Of(arguments.Value));
        (_outputGradient, _queryGradient) = (HeadTensor.Of(arguments.OutputGradient), HeadTensor.Of(arguments.QueryGradient));
        (_keyGradient, _valueGradient) = (HeadTensor.Of(arguments.KeyGradient), HeadTensor.Of(arguments.ValueGradient));
        _plan.Make(arguments);
        Reserve();
        _statistics.Begin();
        pool.Run(_plan.Sequences.Length * _heads, _statistics);
        pool.Run(_plan.Items, this);
        if (_plan.HasRanges)
            pool.Run(_plan.Sequences.Length * _heads, _rangeSum);
        _arguments = default;
    }

    public void Execute(int item, int worker)
    {
        ref readonly var plan = ref _plan.Sequences[_plan.SequenceOf(item)];
        int head = (item - plan.FirstItem) / plan.Ranges, range = (item - plan.FirstItem) % plan.Ranges;
        int patternHead = _arguments.Layout.Pattern.PatternHeadOf(head * _group);
        var (start, end) = BackwardPlan.TilesOf(_arguments.Layout, plan, patternHead, range);
        float* gradients = _plan.HasRanges ? RangeGradients(plan, head, range) : _gradients + worker * _plan.GradientRows * _paddedDim;
        var sequence = plan.Sequence;
        Clear(gradients, (long)_group * sequence.QueryCount * _paddedDim);
        for (int tile = start; tile < end; tile++)
            Tile(plan, head, tile, gradients, _tiles[worker]);
        for (int h = 0; h < _group && !_plan.HasRanges; h++)
            BlockMoves<T>.Scale(gradients + (long)h * sequence.QueryCount * _paddedDim, _paddedDim, sequence.QueryCount, _headDim,
                _queryGradient.Row(sequence.Batch, sequence.QueryStart, head * _group + h), _queryGradient.TokenStride, _arguments.Scale);
    }

    public void Dispose()
    {
        _tileScratch.Dispose();
        _rowScratch.Dispose();
        _gradientScratch.Dispose();
    }

    private void Reserve()
    {
        long floats = ScratchMemory.Aligned(BackwardTile<T>.ScratchFloats(_headDim));
        float* scratch = _tileScratch.Take(floats * _tiles.Length);
        for (int w = 0; w < _tiles.Length; w++)
            _tiles[w].Prepare(scratch + w * floats, _headDim);
        _shift = _rowScratch.Take(2 * _plan.QueryRows);
        _delta = _shift + _plan.QueryRows;
        _gradients = _gradientScratch.Take(_plan.GradientRows * _paddedDim * (_plan.HasRanges ? 1 : _tiles.Length));
    }

    // dK and dV of one tile of keys, and its share of dQ, over the query heads of the KV head.
    private void Tile(in BackwardSequence plan, int keyValueHead, int tile, float* gradients, BackwardTile<T> work)
    {
        var sequence = plan.Sequence;
        var layout = _arguments.Layout;
        int firstKey = tile * BackwardTile<T>.MaxKeys, keyEnd = Math.Min(sequence.KeyCount, firstKey + BackwardTile<T>.MaxKeys);
        var keys = Rows(_key, sequence.Batch, sequence.KeyStart, keyValueHead);
        var values = Rows(_value, sequence.Batch, sequence.KeyStart, keyValueHead);
        work.Begin(keys, values, firstKey, keyEnd, layout.BlockTokens, _arguments.Scale);
        int firstBlock = firstKey / layout.BlockTokens, blocks = (keyEnd - 1) / layout.BlockTokens - firstBlock + 1;
        int firstQuery = sequence.FirstQueryPosition, firstVisible = layout.IsCausal ? Math.Max(firstQuery, firstKey) : firstQuery;
        for (int h = 0; h < _group; h++)
        {
            int head = keyValueHead * _group + h;
            long row = plan.FirstRow + (long)head * sequence.QueryCount;
            var queries = new BackwardQueries(
                Rows(_query, sequence.Batch, sequence.QueryStart - firstQuery, head),
                Rows(_outputGradient, sequence.Batch, sequence.QueryStart - firstQuery, head),
                _shift + row, _delta + row, gradients + (long)h * sequence.QueryCount * _paddedDim, firstQuery);
            var rows = new BlockUnion(layout.ColumnStarts, layout.Rows, layout.Pattern.PatternHeadOf(head) * layout.KeyBlocks + firstBlock, blocks);
            work.Add(queries, new TokenWalk(rows, layout.BlockTokens, firstVisible, sequence.KeyCount), layout.IsCausal, layout.BlockTokens);
        }
        work.End(_keyGradient.Row(sequence.Batch, sequence.KeyStart + firstKey, keyValueHead), _keyGradient.TokenStride,
            _valueGradient.Row(sequence.Batch, sequence.KeyStart + firstKey, keyValueHead), _valueGradient.TokenStride, _arguments.Scale);
    }

    private TokenRows Rows(HeadTensor tensor, int batch, int firstRow, int head) => new(tensor.Address(batch, firstRow, head), tensor, _headDim);

    // dQ of the heads of a KV head from one range of the keys.
    private float* RangeGradients(in BackwardSequence plan, int keyValueHead, int range) =>
        _gradients + (plan.FirstGradientRow + (long)(keyValueHead * plan.Ranges + range) * _group * plan.Sequence.QueryCount) * _paddedDim;

    private static void Clear(float* memory, long floats) => System.Runtime.InteropServices.NativeMemory.Clear(memory, (nuint)(floats * sizeof(float)));

    /// <summary><c>delta = rowsum(O dO) - dLSE</c> and LSE in base 2; items are (sequence, head).</summary>
    private sealed class StatisticsPass(BackwardWork<T> backward) : IParallelWork
    {
        // Rows with nothing kept get a shift that makes every probability 0.
        private const float NothingKept = 1e38f;

        private HeadTensor _output;
        private RowStatistics _logSumExp, _logSumExpGradient;

        public void Begin()
        {
            _output = HeadTensor.Of(backward._arguments.Output);
            _logSumExp = RowStatistics.Of(backward._arguments.LogSumExp);
            _logSumExpGradient = RowStatistics.Of(backward._arguments.LogSumExpGradient);
        }

        public void Execute(int item, int worker)
        {
            ref readonly var plan = ref backward._plan.Sequences[item / backward._heads];
            var sequence = plan.Sequence;
            int head = item % backward._heads;
            long row = plan.FirstRow + (long)head * sequence.QueryCount;
            for (int token = 0; token < sequence.QueryCount; token++, row++)
            {
                int at = sequence.QueryStart + token;
                float lse = *_logSumExp.At(sequence.Batch, head, at);
                float dot = Dot(_output.Row(sequence.Batch, at, head), backward._outputGradient.Row(sequence.Batch, at, head), backward._headDim);
                backward._shift[row] = float.IsNegativeInfinity(lse) ? NothingKept : lse * SimdMath.Log2E;
                backward._delta[row] = dot - (_logSumExpGradient.Exists ? *_logSumExpGradient.At(sequence.Batch, head, at) : 0);
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

    /// <summary>dQ of a (sequence, head): the ranges summed in their order.</summary>
    private sealed class RangeSum(BackwardWork<T> backward) : IParallelWork
    {
        public void Execute(int item, int worker)
        {
            ref readonly var plan = ref backward._plan.Sequences[item / backward._heads];
            var sequence = plan.Sequence;
            int head = item % backward._heads;
            long floats = (long)sequence.QueryCount * backward._paddedDim, offset = head % backward._group * floats;
            float* sum = backward.RangeGradients(plan, head / backward._group, 0) + offset;
            for (int range = 1; range < plan.Ranges; range++)
            {
                float* part = backward.RangeGradients(plan, head / backward._group, range) + offset;
                for (long i = 0; i < floats; i += T.Count)
                    T.Store(T.Load(sum + i) + T.Load(part + i), sum + i);
            }
            BlockMoves<T>.Scale(sum, backward._paddedDim, sequence.QueryCount, backward._headDim,
                backward._queryGradient.Row(sequence.Batch, sequence.QueryStart, head), backward._queryGradient.TokenStride, backward._arguments.Scale);
        }
    }
}
