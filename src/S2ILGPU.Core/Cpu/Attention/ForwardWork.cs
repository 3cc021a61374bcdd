using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The forward pass as parallel work: the items of a <see cref="ForwardPlan"/>.</summary>
internal sealed unsafe class ForwardWork<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private readonly ForwardPlan _plan;
    private readonly ForwardTile<T>[] _tiles;
    private readonly DecodeTile<T>[] _decodeTiles;
    private readonly ScratchMemory _tileScratch = new(), _partialScratch = new();
    private readonly PartMerge _merge;
    private readonly HeadCopies<T> _copies = new();
    private readonly WideHeads<T> _wideQuery = new(), _wideOutput = new();
    private AttentionForwardArguments _arguments;
    private HeadTensor _query, _output;
    private HeadCopy _key, _value;
    private RowStatistics _logSumExp;
    private int _headDim;
    private float* _partialOutput, _partialLogSumExp;                             // [rows, D], [rows]

    public ForwardWork(int workers, Blocking blocking)
    {
        _plan = new ForwardPlan(blocking.BytesWorthPairs);
        _tiles = new ForwardTile<T>[2 * workers];
        _decodeTiles = new DecodeTile<T>[workers];
        for (int w = 0; w < workers; w++)
            _decodeTiles[w] = new DecodeTile<T>();
        for (int t = 0; t < _tiles.Length; t++)
            _tiles[t] = new ForwardTile<T>(blocking);
        _merge = new PartMerge(this);
    }

    /// <summary>Computes O and LSE of all sequences; rows of padding may get any values.</summary>
    public void Run(in AttentionForwardArguments arguments, WorkerPool pool)
    {
        _arguments = arguments;
        _headDim = arguments.Query.Shape[3];
        _query = _wideQuery.Read(arguments.Query, pool);
        _output = _wideOutput.Written(arguments.Output);
        _logSumExp = RowStatistics.Of(arguments.LogSumExp);
        _key = new HeadCopy(KeysOf(arguments.Key));
        _value = new HeadCopy(KeysOf(arguments.Value));
        _plan.Make(arguments);
        Reserve();
        RunItems(pool);
        if (_plan.PartialRows > 0)
            pool.Run(_plan.Sequences.Length * arguments.Query.Shape[2], _merge);
        _wideOutput.Round(pool);
        _arguments = default;
    }

    public void Execute(int item, int worker)
    {
        var (s, unit, tile, part) = _plan[item];
        ref readonly var plan = ref _plan.Sequences[s];
        var queries = QueriesOf(s, unit, tile);
        int keyValueHead = queries.FirstHead / (_arguments.Query.Shape[2] / LayoutOf(s).Pattern.KeyValueHeads);
        TokenRows keys = RowsOf(_key, s, plan.Sequence, LayoutOf(s), keyValueHead),
            values = RowsOf(_value, s, plan.Sequence, LayoutOf(s), keyValueHead);
        // Whether there are copies depends on the other sequences, and the bits of a sequence must not.
        var stored = _arguments.Pages is null ? values
            : RowsOf(new HeadCopy(_value.Source), s, plan.Sequence, LayoutOf(s), keyValueHead);
        // Which kernel computes a tile depends on that tile alone, and so do its bits: a pair is two that both go
        // through lanes of queries.
        bool hasSecond = plan.HasSecondTile(tile),
            isPair = hasSecond && !DecodeTile<T>.Takes(queries, keys, stored)
                && !DecodeTile<T>.Takes(QueriesOf(s, unit, tile + 1), keys, stored);
        for (int end = hasSecond && !isPair ? tile + 2 : tile + 1; tile < end; tile++)
        {
            queries = QueriesOf(s, unit, tile);
            if (DecodeTile<T>.Takes(queries, keys, stored))
                _decodeTiles[worker].Run(queries, _query, _arguments.Scale, WalkOf(s, queries, part),
                    LayoutOf(s).IsCausal, keys, stored, ResultOf(s, queries, unit, tile, part));
            else
                RunTiles(s, unit, tile, part, isPair, keys, values, worker);
        }
    }

    public void Dispose()
    {
        _copies.Dispose();
        _wideQuery.Dispose();
        _wideOutput.Dispose();
        _tileScratch.Dispose();
        _partialScratch.Dispose();
    }

    // A tile of queries, or a pair of neighbours. Two go through the keys together, so that the second finds most of
    // them in the cache.
    private void RunTiles(int s, int unit, int tile, int part, bool isPair, in TokenRows keys, in TokenRows values,
        int worker)
    {
        ForwardTile<T> one = _tiles[2 * worker], two = _tiles[2 * worker + 1];
        bool isCausal = LayoutOf(s).IsCausal;
        TileQueries queries = QueriesOf(s, unit, tile), secondQueries = isPair ? QueriesOf(s, unit, tile + 1) : queries;
        TokenWalk walk = WalkOf(s, queries, part), secondWalk = WalkOf(s, secondQueries, part);
        one.Begin(queries, _query, _arguments.Scale, ref walk);
        if (isPair)
            two.Begin(secondQueries, _query, _arguments.Scale, ref secondWalk);
        while (one.NextKey != int.MaxValue || isPair && two.NextKey != int.MaxValue)
            if (!isPair || one.NextKey <= two.NextKey)
                one.Add(isCausal, keys, values, ref walk);
            else
                two.Add(isCausal, keys, values, ref secondWalk);
        End(one, s, queries, part, keys, values, ResultOf(s, queries, unit, tile, part));
        if (isPair)
            End(two, s, secondQueries, part, keys, values, ResultOf(s, secondQueries, unit, tile + 1, part));
    }

    // Writes a tile's results, or, where they are not finite, computes them again exactly.
    private void End(ForwardTile<T> tile, int s, in TileQueries queries, int part, in TokenRows keys,
        in TokenRows values, in TileResult result)
    {
        if (tile.End(result))
            return;
        for (int lane = 0; lane < queries.Lanes; lane++)
            ExactAttention.Row(queries, lane, _query, _arguments.Scale, WalkOf(s, queries, part), LayoutOf(s).IsCausal,
                keys, values, result);
    }

    private TileQueries QueriesOf(int s, int unit, int tile) =>
        _plan.Sequences[s].Queries(unit, tile, LayoutOf(s).BlockTokens) with
        {
            WindowTokens = LayoutOf(s).Pattern.WindowTokens,
        };

    // The keys that some queries see.
    private TokenWalk WalkOf(int s, in TileQueries queries, int part)
    {
        ref readonly var plan = ref _plan.Sequences[s];
        var layout = LayoutOf(s);
        var blocks = ForwardPlan.Rows(layout, queries);
        if (part > 0)
            blocks.Skip(part * plan.PartBlocks);
        int keyEnd = layout.IsCausal ? queries.FirstPosition + queries.Tokens : plan.Sequence.KeyCount;
        return new TokenWalk(blocks, layout.BlockTokens, 0, keyEnd, plan.Parts > 1 ? plan.PartBlocks : int.MaxValue);
    }

    private void Reserve()
    {
        long floats = ScratchMemory.Aligned(Math.Max(ForwardTile<T>.ScratchFloats(_headDim),
            DecodeTile<T>.ScratchFloats(_headDim)));
        float* scratch = _tileScratch.Take(floats * _tiles.Length);
        for (int t = 0; t < _tiles.Length; t++)
            _tiles[t].Prepare(scratch + t * floats, _headDim);
        for (int w = 0; w < _decodeTiles.Length; w++)
            _decodeTiles[w].Prepare(scratch + 2 * w * floats, _headDim);
        _partialOutput = _partialScratch.Take(_plan.PartialRows * (_headDim + 1));
        _partialLogSumExp = _partialOutput + _plan.PartialRows * _headDim;
    }

    // The items, on copies of K and V where they pay. Keys in pages are read where they lie: blocks of them follow each
    // other, and a missing page is an error.
    private void RunItems(WorkerPool pool)
    {
        var shape = _arguments.Key.Shape;
        PagedSequences paged = default;
        if (_plan.PagedCopies.Count > 0)
        {
            paged = new PagedSequences(_arguments.Pages, _arguments.Layout.BlockTokens, _plan.PagedCopies);
            shape = new Shape(_plan.PagedCopies.Count, paged.MostKeys, _arguments.Pages!.KeyValueHeads, _headDim);
        }
        if (paged.Exist || _plan.ReadsPerBlock >= HeadCopy.ReadsWorthCopy)
        {
            _key.CopiesRows = !paged.Exist && !TokenRows.ReadsWell(_key.Source, _headDim);
            _value.Packs = TokenSum<T>.Packs;
            _value.CopiesRows = !_value.Packs && (paged.Exist || !TokenRows.ReadsWell(_value.Source, _headDim));
        }
        int heads = shape[2], headsAtATime = HeadCopies<T>.HeadsAtATime(shape, _key.Copies + _value.Copies,
            pool.Workers);
        if (headsAtATime == 0)
        {
            _value = new HeadCopy(_value.Source);
            pool.Run(_plan.Items, this);
            return;
        }
        for (int first = 0; first < heads; first += headsAtATime)
        {
            var range = new HeadRange(first, Math.Min(heads, first + headsAtATime));
            _copies.Run(ref _key, ref _value, shape, range, pool, paged);
            _plan.Select(range);
            pool.Run(_plan.Items, this);
        }
    }

    private BlockLayout LayoutOf(int sequence) => _arguments.Layouts?[sequence] ?? _arguments.Layout;

    // Pages [P, blockTokens, D] are read as one head each; the table finds them.
    private HeadTensor KeysOf(Tensor tensor) =>
        _arguments.Pages is null ? HeadTensor.OfKeys(tensor) : HeadTensor.OfPages(tensor, _headDim);

    private TokenRows RowsOf(in HeadCopy heads, int s, in Sequence sequence, BlockLayout layout, int head)
    {
        if (_arguments.Pages is not { } pages)
            return heads.Of<T>(sequence.Batch, sequence.KeyStart, head, _headDim);
        int copy = _plan.Sequences[s].PagedCopy;
        if (heads.CopiesRows && copy >= 0)
            return new TokenRows(heads.Rows.Address(copy, 0, head), heads.Rows, _headDim);
        return new TokenRows(heads.Source, _headDim, layout.BlockTokens, pages.Row(s, head))
        {
            Packed = heads.Packed.Exist && copy >= 0 ? (nint)heads.Packed.At(copy, head) : 0,
            PackedStride = heads.Packed.TileStride,
        };
    }

    private TileResult ResultOf(int s, in TileQueries queries, int unit, int tile, int part) =>
        _plan.Sequences[s] is { Parts: > 1 } plan ? PartialResult(plan, plan.IndexOf(unit, tile, part))
        : FinalResult(queries);

    private TileResult FinalResult(in TileQueries queries) => new(
        (nint)_output.Row(queries.Batch, queries.FirstRow, queries.FirstHead), _output.TokenStride, _output.HeadStride,
        _logSumExp.Exists ? (nint)_logSumExp.At(queries.Batch, queries.FirstHead, queries.FirstRow) : 0,
        _logSumExp.TokenStride, _logSumExp.HeadStride);

    private TileResult PartialResult(in SequencePlan plan, int index)
    {
        int tokens = plan.Sequence.QueryCount;
        long row = plan.FirstPartialRow + (long)index * plan.UnitHeads * tokens;
        return new TileResult((nint)(_partialOutput + row * _headDim), _headDim, (nint)tokens * _headDim,
            (nint)(_partialLogSumExp + row), 1, tokens) { IsPart = true };
    }

    // Of parts with -inf: whether one of them saw keys, all with scores of -inf. Its output is 0 / 0.
    private static bool HasOnlyWeightsOfZero(ReadOnlySpan<nint> outputs)
    {
        foreach (nint output in outputs)
            if (float.IsNaN(*(float*)output))
                return true;
        return false;
    }

    /// <summary>Merges the parts of a unit; items are (sequence, head), where a unit goes by its number.</summary>
    private sealed class PartMerge(ForwardWork<T> forward) : IParallelWork
    {
        public void Execute(int item, int worker)
        {
            int heads = forward._arguments.Query.Shape[2], s = item / heads, unit = item % heads;
            ref readonly var plan = ref forward._plan.Sequences[s];
            if (plan.Parts < 2 || unit >= plan.Units)
                return;
            Span<nint> outputs = stackalloc nint[plan.Parts], logSumExps = stackalloc nint[plan.Parts];
            var queries = plan.Queries(unit, 0, forward.LayoutOf(s).BlockTokens);
            var final = forward.FinalResult(queries);
            for (int lane = 0; lane < queries.Lanes; lane++)
            {
                int head = lane / queries.Tokens, token = lane % queries.Tokens;
                for (int p = 0; p < plan.Parts; p++)
                {
                    var part = forward.PartialResult(plan, plan.IndexOf(unit, 0, p));
                    (outputs[p], logSumExps[p]) = ((nint)part.Row(head, token), part.LogSumExp + lane * sizeof(float));
                }
                float* row = final.Row(head, token);
                float lse = PartialRows.Merge<T>(outputs, logSumExps, forward._headDim, row);
                if (float.IsNegativeInfinity(lse) && HasOnlyWeightsOfZero(outputs))
                {
                    new Span<float>(row, forward._headDim).Fill(float.NaN);
                    lse = float.NaN;
                }
                final.SetLogSumExp(head, token, lse);
            }
        }
    }
}
