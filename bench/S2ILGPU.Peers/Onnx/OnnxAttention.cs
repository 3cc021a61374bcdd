using Microsoft.ML.OnnxRuntime;
using S2ILGPU.Layouts;

namespace S2ILGPU.Peers.Onnx;

/// <summary>A model of one attention node with its tensors: a whole prompt, which also fills the caches of keys and
/// values.</summary>
internal sealed class OnnxAttention : IDisposable
{
    private readonly List<OnnxTensor> _inputs = [], _outputs = [];
    private readonly List<OrtValue> _inputValues = [], _outputValues = [];
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly string[] _inputNames, _outputNames;

    /// <param name="threads">Threads.</param>
    /// <param name="tokens">N.</param>
    /// <param name="heads">H, of queries and of keys.</param>
    /// <param name="headDim">D.</param>
    /// <param name="layout">The kept blocks, with a pattern per head; null for dense causal attention.</param>
    /// <param name="query">[1, N, H, D].</param>
    /// <param name="key">[1, N, H, D].</param>
    /// <param name="value">[1, N, H, D].</param>
    public OnnxAttention(int threads, int tokens, int heads, int headDim, BlockLayout? layout, float[] query,
        float[] key, float[] value)
    {
        Output = new float[query.Length];
        AddInput("query", query, 1, tokens, heads * headDim);
        AddInput("key", key, 1, tokens, heads * headDim);
        AddInput("value", value, 1, tokens, heads * headDim);
        AddOutput("output", Output, 1, tokens, heads * headDim);
        // SparseAttention reads and writes caches that share memory; GroupQueryAttention gets the same.
        AddCache("key", new float[query.Length], 1, heads, tokens, headDim);
        AddCache("value", new float[query.Length], 1, heads, tokens, headDim);
        if (layout is null)
        {
            AddInput("seqlens_k", [tokens - 1], 1);
            AddInput("total_sequence_length", [tokens], 1);
        }
        else
        {
            AddLayout(layout);
            AddInput("total_sequence_length", [tokens], 1);
            AddInput("key_total_sequence_lengths", [tokens], 1);
        }
        var attributes = new Dictionary<string, long> { ["num_heads"] = heads, ["kv_num_heads"] = heads };
        if (layout is not null)
            attributes["sparse_block_size"] = layout.BlockTokens;
        var node = new OnnxNode(layout is null ? "GroupQueryAttention" : "SparseAttention", _inputs, _outputs,
            attributes);
        using var session = new SessionOptions { IntraOpNumThreads = threads, InterOpNumThreads = 1 };
        _session = new InferenceSession(node.ToModel(), session);
        _inputNames = [.. _inputs.Select(input => input.Name)];
        _outputNames = [.. _outputs.Select(output => output.Name)];
    }

    /// <summary>[1, N, H, D], written by <see cref="Run"/>.</summary>
    public float[] Output { get; }

    public void Run() => _session.Run(_options, _inputNames, _inputValues, _outputNames, _outputValues);

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
        foreach (var value in _inputValues.Concat(_outputValues).Distinct())
            value.Dispose();
    }

    // Rows [layouts, blocks + 1] and columns [layouts, most], a layout per head, row starts from 0 in each.
    private void AddLayout(BlockLayout layout)
    {
        int rows = layout.QueryBlocks, most = 0;
        for (int head = 0; head < layout.Heads; head++)
            most = Math.Max(most, (int)layout.CountBlocks(head, 0, rows));
        var starts = new int[layout.Heads * (rows + 1)];
        var columns = new int[layout.Heads * most];
        for (int head = 0; head < layout.Heads; head++)
            for (int row = 0, kept = 0; row < rows; row++)
            {
                var blocks = layout.Row(head, row);
                int[] keys = [.. blocks.Full, .. blocks.Partial];
                keys.CopyTo(columns, head * most + kept);
                starts[head * (rows + 1) + row + 1] = kept += keys.Length;
            }
        AddInput("block_row_indices", starts, layout.Heads, rows + 1);
        AddInput("block_col_indices", columns, layout.Heads, most);
    }

    private void AddCache(string name, float[] values, params long[] shape)
    {
        var shared = OrtValue.CreateTensorValueFromMemory(values, shape);
        _inputs.Add(new OnnxTensor($"past_{name}", OnnxTensor.Float, shape));
        _outputs.Add(new OnnxTensor($"present_{name}", OnnxTensor.Float, shape));
        _inputValues.Add(shared);
        _outputValues.Add(shared);
    }

    private void AddInput(string name, float[] values, params long[] shape)
    {
        _inputs.Add(new OnnxTensor(name, OnnxTensor.Float, shape));
        _inputValues.Add(OrtValue.CreateTensorValueFromMemory(values, shape));
    }

    private void AddInput(string name, int[] values, params long[] shape)
    {
        _inputs.Add(new OnnxTensor(name, OnnxTensor.Int32, shape));
        _inputValues.Add(OrtValue.CreateTensorValueFromMemory(values, shape));
    }

    private void AddOutput(string name, float[] values, params long[] shape)
    {
        _outputs.Add(new OnnxTensor(name, OnnxTensor.Float, shape));
        _outputValues.Add(OrtValue.CreateTensorValueFromMemory(values, shape));
    }
}
