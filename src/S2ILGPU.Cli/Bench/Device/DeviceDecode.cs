using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>One decoding step of several sequences over a paged cache that all patterns share: each has its own table,
/// of the pages that it keeps.</summary>
internal sealed class DeviceDecode : IDisposable
{
    private readonly IEngine _engine;
    private readonly AttentionShape _shape;
    private readonly Tensor _query, _output, _keys, _values;
    private readonly VariedSequences _sequences;
    private readonly int[] _pages;
    private readonly float _scale;

    public DeviceDecode(IEngine engine, AttentionShape shape, ElementType queryType, ElementType cacheType,
        bool isVaried)
    {
        (_engine, _shape) = (engine, shape);
        _scale = (float)(1 / Math.Sqrt(shape.HeadDim));
        // Within the last block, so that all lengths keep the same pages.
        _sequences = new VariedSequences(shape.Tokens, isVaried ? DevicePattern.BlockTokens : 1, tokens =>
            SequenceBatch.Uniform(shape.Sequences, 1, tokens));
        _pages = [.. Enumerable.Range(0, shape.Sequences * shape.KeyValueHeads * Blocks)];
        new Random(1).Shuffle(_pages); // a decoder that has run for a while hands pages out in any order
        _query = engine.Allocate(new Shape(shape.Sequences, 1, shape.Heads, shape.HeadDim), queryType);
        _output = engine.Allocate(_query.Shape, queryType);
        _keys = engine.Allocate(new Shape(_pages.Length, DevicePattern.BlockTokens, shape.HeadDim), cacheType);
        _values = engine.Allocate(_keys.Shape, cacheType);
        var queries = new float[_query.Count];
        RandomTensors.Fill(queries, 1);
        engine.Upload(queries, _query);
        DeviceInputs.Fill(engine, _keys, 2);
        DeviceInputs.Fill(engine, _values, 3);
    }

    private int Blocks => (_shape.Tokens + DevicePattern.BlockTokens - 1) / DevicePattern.BlockTokens;

    /// <summary>Bytes of the whole cache.</summary>
    public static double BytesOf(AttentionShape shape, ElementType type) =>
        2.0 * shape.Sequences * shape.Tokens * shape.KeyValueHeads * shape.HeadDim * type.SizeBytes();

    /// <summary>A step of one pattern, and the blocks that it reads of all sequences and KV heads.</summary>
    public (Action Step, long KeptBlocks) Prepare(AttentionPattern pattern)
    {
        var layout = BlockLayout.Create(pattern, _shape.Tokens, queryTokens: 1);
        var table = new PageTable(_shape.Sequences, _shape.KeyValueHeads, Blocks);
        for (int sequence = 0; sequence < _shape.Sequences; sequence++)
            for (int head = 0; head < _shape.KeyValueHeads; head++)
            {
                var row = layout.Row(head, layout.KeyBlocks - 1);
                foreach (int block in row.Full)
                    table[sequence, head, block] = _pages[(sequence * _shape.KeyValueHeads + head) * Blocks + block];
                foreach (int block in row.Partial)
                    table[sequence, head, block] = _pages[(sequence * _shape.KeyValueHeads + head) * Blocks + block];
            }
        return (() =>
            _engine.AttentionForward(new AttentionForwardArguments(_query, _keys, _values, _output, null, layout,
            _sequences.Next(), _scale, table)),
            layout.KeptBlocks * _shape.Sequences);
    }

    public void Dispose()
    {
        _query.Dispose();
        _output.Dispose();
        _keys.Dispose();
        _values.Dispose();
    }
}
