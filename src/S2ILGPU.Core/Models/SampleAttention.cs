using System.Diagnostics;
using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>Attention of a dense model's layers whose blocks are chosen at run time: sample rows, choose columns and
/// slashes, run attention over them, audit rows drawn at random. All of it is queued on the engine; what was kept is
/// read after the last layer of a pass.</summary>
/// <remarks>A sequence's choice depends on its own queries and keys of the pass, never on its neighbours.</remarks>
internal sealed class SampleAttention
{
    private readonly IAttentionSampler _sampler;
    private readonly SampleAttentionOptions _options;
    private readonly RandomSource _random;
    private readonly List<SampleRecord> _records = [];                            // of the pass
    private readonly Dictionary<int, SampleCertificate> _pass = [];               // by sequence
    private readonly long[,] _kept, _all;                                         // [layers, H]
    private readonly int _layers;
    private long _lap;

    /// <exception cref="ArgumentException">An option is out of its range, a layer is not dense, ranks share the layers,
    /// or the engine does not sample.</exception>
    public SampleAttention(TransformerModel model, SampleAttentionOptions options)
    {
        _options = options.Validate();
        if (model.Config.Attention.FirstOrDefault(attention => attention is not DenseAttention) is { } sparse)
            throw new ArgumentException($"sampled attention is for dense models, this one has layers of {sparse.Kind}");
        if (model.Shard is not null)
            throw new ArgumentException("sampled attention needs all heads of a layer, ranks share those of the model");
        _sampler = model.Engine as IAttentionSampler
            ?? throw new ArgumentException($"{model.Engine.Name} does not compute sampled attention");
        _random = new RandomSource(options.Seed, "audit");
        _layers = model.Config.Layers;
        _kept = new long[_layers, model.Config.QueryHeads];
        _all = new long[_layers, model.Config.QueryHeads];
        Figures = SampleAttentionFigures.None with { Alpha = options.Alpha };
    }

    public SampleAttentionOptions Options => _options;

    /// <summary>What was kept so far.</summary>
    public SampleAttentionFigures Figures { get; private set; }

    /// <summary>What a sequence kept in the last pass; null where that was dense for it.</summary>
    /// <param name="sequence">The sequence of the pass.</param>
    public SampleCertificate? OfPass(int sequence) =>
        _pass.TryGetValue(sequence, out var certificate) ? certificate : null;

    /// <summary>Attention of a layer over whole sequences.</summary>
    /// <returns>[B, N, H, D].</returns>
    public Variable Attend(Tape tape, int layer, Variable query, Variable key, Variable value, BlockLayout dense,
        SequenceBatch sequences, float scale)
    {
        if (tape.Needs(query, key, value))
            throw new InvalidOperationException("sampled attention has no gradient: train the model as it is, dense");
        AttentionRules.CheckTensors(nameof(SampleAttention), tape.Engine, query.Value, key.Value, value.Value, dense);
        var output = tape.New(query.Shape);
        Forward(tape.Engine, layer, new AttentionForwardArguments(query.Value, key.Value, value.Value, output.Value,
            null, dense, sequences, scale));
        return output;
    }

    /// <summary>Attention of a layer, given the arguments of dense attention.</summary>
    public void Forward(IEngine engine, int layer, in AttentionForwardArguments dense)
    {
        if (layer == 0)
        {
            Forget();
            _pass.Clear();
        }
        var kept = new Tensor?[dense.Sequences.Sequences.Length];
        try
        {
            Forward(engine, layer, dense, kept);
        }
        finally
        {
            foreach (var marks in kept)
                marks?.Dispose();
        }
        if (layer == _layers - 1)
            Collect(engine);
    }

    private void Forward(IEngine engine, int layer, in AttentionForwardArguments dense, Tensor?[] kept)
    {
        int before = _records.Count;
        Lap(engine, layer);
        for (int s = 0; s < kept.Length; s++)
        {
            var sequence = dense.Sequences.Sequences[s];
            if (SampleSelection.Takes(sequence.QueryCount, sequence.KeyCount, dense.Layout.BlockTokens))
                kept[s] = Choose(engine, dense, s, layer);
        }
        if (_records.Count == before)
        {
            engine.AttentionForward(dense);
            return;
        }
        double selection = Lap(engine, layer);
        using var logSumExp = engine.Allocate(AttentionRules.StatisticsShape(dense.Query),
            AttentionRules.LogSumExpType(dense.Query));
        _sampler.ChosenForward(dense with { LogSumExp = logSumExp }, kept);
        double attention = Lap(engine, layer);
        foreach (var record in _records[before..])
            record.Audit(engine, _sampler, dense, logSumExp);
        double audit = Lap(engine, layer);
        Figures = Figures with
        {
            SelectionSeconds = Figures.SelectionSeconds + selection,
            AttentionSeconds = Figures.AttentionSeconds + attention,
            AuditSeconds = Figures.AuditSeconds + audit,
        };
    }

    // Seconds since the call before. A device is asked in the last layer alone: to wait for it costs its time.
    private double Lap(IEngine engine, int layer)
    {
        if (_sampler.IsQueued && layer != _layers - 1)
            return 0;
        engine.Synchronize();
        long before = _lap;
        _lap = Stopwatch.GetTimestamp();
        return Stopwatch.GetElapsedTime(before, _lap).TotalSeconds;
    }

    // [2, H, blocks]: the marks of what is kept.
    private Tensor Choose(IEngine engine, in AttentionForwardArguments dense, int s, int layer)
    {
        var sequence = dense.Sequences.Sequences[s];
        int block = dense.Layout.BlockTokens, heads = dense.Query.Shape[2], first = sequence.FirstQueryPosition / block,
            end = BlockLayout.BlocksOf(sequence.KeyCount, block);
        int[] rows = SampleSelection.Rows(_options, sequence.FirstQueryPosition, sequence.QueryCount, block),
            drawn = [.. Enumerable.Range(0, _options.AuditRows)
                .Select(_ => sequence.FirstQueryPosition + _random.NextInteger(sequence.QueryCount)).Order()];
        var record = new SampleRecord(engine, layer, s, dense, rows, drawn);
        _records.Add(record);
        var sums = new Shape(heads, end);
        using var columns = engine.Allocate(sums, ElementType.Float32);
        using var slashes = engine.Allocate(sums, ElementType.Float32);
        record.SampleRows(_sampler, dense, columns, slashes);
        var kept = engine.Allocate(new Shape(2, heads, end), ElementType.Int32);
        _sampler.ChooseBlocks(new BlockChoiceArguments(columns, slashes, _options.ColumnAlpha, _options.SlashAlpha,
            SampleSelection.WindowBlocks(_options, end), first, kept, record.KeptBlocks));
        return kept;
    }

    private void Forget()
    {
        foreach (var record in _records)
            record.Dispose();
        _records.Clear();
    }

    private void Collect(IEngine engine)
    {
        if (_records.Count == 0)
            return;
        var figures = Figures;
        foreach (var record in _records)
        {
            int[] keptBlocks = engine.ToIntArray(record.KeptBlocks);
            for (int head = 0; head < keptBlocks.Length; head++)
            {
                _kept[record.Layer, head] += keptBlocks[head];
                _all[record.Layer, head] += record.AllBlocks;
            }
            var (sample, audit) = record.KeptProbability(engine);
            figures = figures with
            {
                Selections = figures.Selections + 1,
                Sample = figures.Sample.Join(sample),
                Audit = figures.Audit.Join(audit),
            };
            _pass[record.Index] = _pass.GetValueOrDefault(record.Index).Join(new SampleCertificate(audit,
                keptBlocks.Sum(blocks => (long)blocks), record.AllBlocks * keptBlocks.Length));
        }
        Forget();
        Figures = figures with
        {
            Passes = _pass.Values.Aggregate(figures.Passes, (sum, part) => sum.With(part.Audit, figures.Alpha)),
            KeptFractions = Fractions(out double fraction),
            KeptFraction = fraction,
        };
    }

    private double[][] Fractions(out double fraction)
    {
        double[][] fractions = new double[_kept.GetLength(0)][];
        long kept = 0, all = 0;
        for (int layer = 0; layer < fractions.Length; layer++)
        {
            fractions[layer] = new double[_kept.GetLength(1)];
            for (int head = 0; head < fractions[layer].Length; head++)
            {
                fractions[layer][head] = _all[layer, head] == 0 ? 0 : (double)_kept[layer, head] / _all[layer, head];
                kept += _kept[layer, head];
                all += _all[layer, head];
            }
        }
        fraction = all == 0 ? 0 : (double)kept / all;
        return fractions;
    }
}
