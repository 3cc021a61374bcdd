using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>What one sequence kept in one layer of a pass: log-sum-exps over all keys and over the kept ones, on the
/// device until the pass is over.</summary>
internal sealed class SampleRecord : IDisposable
{
    private readonly int[] _rows, _drawn;
    private readonly Tensor _numbers;                                             // [2, H (R + A)]: all, kept
    private readonly Tensor _places;                                              // [H (R + A)] in LSE [B, H, N]
    private readonly int _heads;

    /// <summary>Takes the memory.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="index">The sequence.</param>
    /// <param name="dense">Arguments of attention over all blocks.</param>
    /// <param name="rows">R positions that are sampled.</param>
    /// <param name="drawn">A positions that are audited.</param>
    public SampleRecord(IEngine engine, int layer, int index, in AttentionForwardArguments dense, int[] rows,
        int[] drawn)
    {
        (Layer, Index, _rows, _drawn, _heads) = (layer, index, rows, drawn, dense.Query.Shape[2]);
        var sequence = dense.Sequences.Sequences[index];
        int block = dense.Layout.BlockTokens, first = sequence.FirstQueryPosition / block,
            end = BlockLayout.BlocksOf(sequence.KeyCount, block), tokens = dense.Query.Shape[1];
        AllBlocks = (long)(first + 1 + end) * (end - first) / 2;
        var places = new List<int>();
        foreach (int[] positions in (int[][])[rows, drawn])
            for (int head = 0; head < _heads; head++)
                foreach (int position in positions)
                    places.Add((sequence.Batch * _heads + head) * tokens + sequence.QueryStart + position
                        - sequence.FirstQueryPosition);
        _numbers = engine.Allocate(new Shape(2, places.Count), ElementType.Float32);
        _places = engine.FromArray([.. places], places.Count);
        KeptBlocks = engine.Allocate(new Shape(_heads), ElementType.Int32);
    }

    /// <summary>The layer.</summary>
    public int Layer { get; }

    /// <summary>The sequence.</summary>
    public int Index { get; }

    /// <summary>Kept blocks [H], Int32.</summary>
    public Tensor KeptBlocks { get; }

    /// <summary>Blocks of a head of dense attention.</summary>
    public long AllBlocks { get; }

    private int Sampled => _heads * _rows.Length;

    /// <summary>Samples the rows.</summary>
    public void SampleRows(IAttentionSampler sampler, in AttentionForwardArguments dense, Tensor columns,
        Tensor slashes) => Run(sampler, dense, _rows, 0, columns, slashes);

    /// <summary>Audits the drawn rows, and reads the log-sum-exps of all rows over the kept keys.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="sampler">The engine again.</param>
    /// <param name="dense">Arguments of attention over all blocks.</param>
    /// <param name="logSumExp">Over the kept keys, [B, H, N].</param>
    public void Audit(IEngine engine, IAttentionSampler sampler, in AttentionForwardArguments dense, Tensor logSumExp)
    {
        if (_drawn.Length > 0)
            Run(sampler, dense, _drawn, Sampled, null, null);
        using var part = _numbers.Slice(0, 1, 1);
        using var kept = part.Reshape(new Shape((int)part.Count, 1));
        using var table = logSumExp.Reshape(new Shape(checked((int)logSumExp.Count), 1));
        engine.Embedding(table, _places, kept);
    }

    /// <summary>The kept probabilities of the sampled and of the audited rows; waits.</summary>
    public (KeptProbability Sample, KeptProbability Audit) KeptProbability(IEngine engine)
    {
        KeptProbability sample = Models.KeptProbability.None, audit = sample;
        float[] numbers = engine.ToArray(_numbers);
        int count = numbers.Length / 2;
        for (int n = 0; n < count; n++)
        {
            double kept = Math.Min(1, Math.Exp((double)numbers[count + n] - numbers[n]));
            (sample, audit) = n < Sampled ? (sample.With(kept), audit) : (sample, audit.With(kept));
        }
        return (sample, audit);
    }

    public void Dispose()
    {
        _numbers.Dispose();
        _places.Dispose();
        KeptBlocks.Dispose();
    }

    private void Run(IAttentionSampler sampler, in AttentionForwardArguments dense, int[] rows, int at,
        Tensor? columns, Tensor? slashes)
    {
        using var all = _numbers.Slice(0, 0, 1);
        using var part = all.Slice(1, at, _heads * rows.Length);
        using var logSumExp = part.Reshape(new Shape(_heads, rows.Length));
        sampler.SampleRows(new AttentionSampleArguments(dense.Query, dense.Key, dense.Sequences, Index, rows,
            dense.Layout.BlockTokens, dense.Scale, dense.Pages, logSumExp, columns, slashes));
    }
}
