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
    private readonly ForwardPlan _plan = new();
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
        _tiles = new ForwardTile<T>[workers];
        _decodeTiles = new DecodeTile<T>[workers];
        for (int w = 0; w < workers; w++)
            (_tiles[w], _decodeTiles[w]) = (new ForwardTile<T>(blocking), new DecodeTile<T>());
        _merge = new PartMerge(this);
    }

    /// <summary>Computes O and LSE of all sequences; rows of padding are left with anything.</summary>
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
        if (arguments.Pages is null && _plan.ReadsPerBlock >= HeadCopies<T>.ReadsWorthCopy)
            RunOnCopies(arguments.Key.Shape, pool);
        else
            pool.Run(_plan.Items, this);
        if (_plan.PartialRows > 0)
            pool.Run(_plan.Sequences.Length * arguments.Query.Shape[2], _merge);
        _wideOutput.Round(pool);
        _arguments = default;
    }

    public void Execute(int item, int worker)
    {
        var (s, unit, tile, part) = _plan[item];
        ref readonly var plan = ref _plan.Sequences[s];
        var layout = LayoutOf(s);
        var queries = plan.Queries(unit, tile, layout.BlockTokens) with { WindowTokens = layout.Pattern.WindowTokens };
        var blocks = ForwardPlan.Rows(layout, queries);
        if (part > 0)
            blocks.Skip(part * plan.PartBlocks);
        int keyEnd = layout.IsCausal ? queries.FirstPosition + queries.Tokens : plan.Sequence.KeyCount;
        var walk = new TokenWalk(blocks, layout.BlockTokens, 0, keyEnd, plan.Parts > 1 ? plan.PartBlocks
            : int.MaxValue);
        int keyValueHead = queries.FirstHead / (_arguments.Query.Shape[2] / layout.Pattern.KeyValueHeads);
        TokenRows keys = RowsOf(_key, s, plan.Sequence, layout, keyValueHead),
            values = RowsOf(_value, s, plan.Sequence, layout, keyValueHead);
        var result = plan.Parts > 1 ? PartialResult(plan, plan.IndexOf(unit, tile, part)) : FinalResult(queries);
        if (DecodeTile<T>.Takes(queries, keys, values))
            _decodeTiles[worker].Run(queries, _query, _arguments.Scale, walk, layout.IsCausal, keys, values, result);
        else
            _tiles[worker].Run(queries, _query, _arguments.Scale, walk, layout.IsCausal, keys, values, result);
    }

    public void Dispose()
    {
        _copies.Dispose();
        _wideQuery.Dispose();
        _wideOutput.Dispose();
        _tileScratch.Dispose();
        _partialScratch.Dispose();
    }

    private void Reserve()
    {
        long floats = ScratchMemory.Aligned(Math.Max(ForwardTile<T>.ScratchFloats(_headDim),
            DecodeTile<T>.ScratchFloats(_headDim)));
        float* scratch = _tileScratch.Take(floats * _tiles.Length);
        for (int w = 0; w < _tiles.Length; w++)
        {
            _tiles[w].Prepare(scratch + w * floats, _headDim);
            _decodeTiles[w].Prepare(scratch + w * floats, _headDim);
        }
        _partialOutput = _partialScratch.Take(_plan.PartialRows * (_headDim + 1));
        _partialLogSumExp = _partialOutput + _plan.PartialRows * _headDim;
    }

    private void RunOnCopies(in Shape shape, WorkerPool pool)
    {
        int heads = shape[2], headsAtATime = HeadCopies<T>.HeadsAtATime(shape, 2, pool.Workers);
        if (headsAtATime == 0)
        {
            pool.Run(_plan.Items, this);
            return;
        }
        _key.CopiesRows = !TokenRows.ReadsWell(_key.Source, _headDim);
        _value.Packs = true;
        for (int first = 0; first < heads; first += headsAtATime)
        {
            var range = new HeadRange(first, Math.Min(heads, first + headsAtATime));
            _copies.Run(ref _key, ref _value, shape, range, pool);
            _plan.Select(range);
            pool.Run(_plan.Items, this);
        }
    }

    private BlockLayout LayoutOf(int sequence) => _arguments.Layouts?[sequence] ?? _arguments.Layout;

    // Pages [P, blockTokens, D] are read as one head each; the table finds them.
    private HeadTensor KeysOf(Tensor tensor) =>
        _arguments.Pages is null ? HeadTensor.OfKeys(tensor) : HeadTensor.OfPages(tensor, _headDim);

    private TokenRows RowsOf(in HeadCopy heads, int s, in Sequence sequence, BlockLayout layout, int head) =>
        _arguments.Pages is { } pages
        ? new TokenRows(heads.Source, _headDim, layout.BlockTokens, pages.Row(s, head))
        : heads.Of<T>(sequence.Batch, sequence.KeyStart, head, _headDim);

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
