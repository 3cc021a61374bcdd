using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>Sampled rows as parallel work: items are (head, part of the rows), and the sums of the parts are added in
/// their order.</summary>
internal sealed unsafe class SampleWork<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    // Of a head: enough for many threads, and few enough that their sums are small beside the keys.
    private const int MaxParts = 8;

    private readonly SampleTile<T>[] _tiles;
    private readonly ScratchMemory _tileScratch = new(), _sumScratch = new();
    private AttentionSampleArguments _arguments;
    private double[] _logSumExp = [];                                             // [H, R]
    private HeadTensor _query, _key;
    private double* _sums;                                                        // [H, parts, 2, blocks]
    private int _headDim, _parts, _blocks;

    public SampleWork(int workers, Blocking blocking)
    {
        _tiles = new SampleTile<T>[workers];
        for (int w = 0; w < workers; w++)
            _tiles[w] = new SampleTile<T>(blocking);
    }

    /// <summary>See <see cref="IAttentionSampler.SampleRows"/>.</summary>
    public void Run(in AttentionSampleArguments arguments, WorkerPool pool)
    {
        _arguments = arguments;
        int heads = arguments.Query.Shape[2];
        (_headDim, _blocks) = (arguments.Query.Shape[3], arguments.Blocks);
        _query = HeadTensor.OfActivations(arguments.Query);
        _key = arguments.Pages is null ? HeadTensor.OfKeys(arguments.Key)
            : HeadTensor.OfPages(arguments.Key, _headDim);
        int tiles = (arguments.Rows.Length + SampleTile<T>.MaxRows - 1) / SampleTile<T>.MaxRows;
        _parts = Math.Min(MaxParts, tiles);
        Reserve(heads);
        _logSumExp = new double[heads * arguments.Rows.Length];
        pool.Run(checked(heads * _parts), this);
        Write(_logSumExp, arguments.LogSumExp);
        double[] total = new double[heads * _blocks];
        foreach (var (kind, sums) in ((int, Tensor?)[])[(0, arguments.Columns), (1, arguments.Slashes)])
            if (sums is not null)
            {
                for (int head = 0; head < heads; head++)
                    Collect(head, kind, total.AsSpan(head * _blocks, _blocks));
                Write(total, sums);
            }
        _arguments = default;
    }

    public void Execute(int item, int worker)
    {
        int head = item / _parts, part = item % _parts, rows = _arguments.Rows.Length,
            keyValueHeads = _arguments.Pages?.KeyValueHeads ?? _arguments.Key.Shape[2],
            keyHead = head / (_arguments.Query.Shape[2] / keyValueHeads);
        var sequence = _arguments.Sequence;
        var queries = new TokenRows(_query.Address(sequence.Batch, sequence.QueryStart, head), _query, _headDim);
        var keys = _arguments.Pages is { } pages
            ? new TokenRows(_key, _headDim, _arguments.BlockTokens, pages.Row(_arguments.Index, keyHead))
            : new TokenRows(_key.Address(sequence.Batch, sequence.KeyStart, keyHead), _key, _headDim);
        double* sums = _sums + (nint)item * 2 * _blocks;
        new Span<double>(sums, 2 * _blocks).Clear();
        var wanted = _arguments.Columns is null ? default : new SampleSums((nint)sums, (nint)(sums + _blocks));
        int tiles = (rows + SampleTile<T>.MaxRows - 1) / SampleTile<T>.MaxRows;
        for (int tile = part * tiles / _parts; tile < (part + 1) * tiles / _parts; tile++)
        {
            int first = tile * SampleTile<T>.MaxRows, count = Math.Min(SampleTile<T>.MaxRows, rows - first);
            _tiles[worker].Run(_arguments.Rows.AsSpan(first, count), queries, sequence.FirstQueryPosition,
                _arguments.Scale, _arguments.BlockTokens, keys, wanted,
                _logSumExp.AsSpan(head * rows + first, count));
        }
    }

    public void Dispose()
    {
        _tileScratch.Dispose();
        _sumScratch.Dispose();
    }

    private void Reserve(int heads)
    {
        int pieces = SampleTile<T>.Pieces(_arguments.Sequence.KeyCount, _arguments.BlockTokens);
        long floats = ScratchMemory.Aligned(SampleTile<T>.ScratchFloats(_headDim, pieces));
        float* scratch = _tileScratch.Take(floats * _tiles.Length);
        for (int w = 0; w < _tiles.Length; w++)
            _tiles[w].Prepare(scratch + w * floats, _headDim, pieces);
        _sums = (double*)_sumScratch.Take((long)heads * _parts * 2 * _blocks * (sizeof(double) / sizeof(float)));
    }

    private static void Write(double[] values, Tensor target)
    {
        float* floats = CpuTensors.Floats(target);
        for (int n = 0; n < values.Length; n++)
            floats[n] = (float)values[n];
    }

    private void Collect(int head, int kind, Span<double> total)
    {
        total.Clear();
        for (int part = 0; part < _parts; part++)
        {
            double* sums = _sums + ((nint)(head * _parts + part) * 2 + kind) * _blocks;
            for (int b = 0; b < total.Length; b++)
                total[b] += sums[b];
        }
    }
}
