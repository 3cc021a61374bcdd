using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify;

/// <summary>Values on the host, row-major; inputs are exact values of their element type.</summary>
/// <param name="Shape">The extents.</param>
/// <param name="Type">Element type on the device.</param>
/// <param name="Values">The values.</param>
internal sealed record HostTensor(Shape Shape, ElementType Type, float[] Values)
{
    /// <summary>Values N(0, 1), rounded to the type.</summary>
    public static HostTensor Normal(Random random, Shape shape, ElementType type)
    {
        var values = new float[shape.Count];
        for (int n = 0; n < values.Length; n++) // Box and Muller
            values[n] =
                Round((float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
                * Math.Cos(2 * Math.PI * random.NextDouble())), type);
        return new HostTensor(shape, type, values);
    }

    /// <summary>The nearest values of the type.</summary>
    public static HostTensor Rounded(Shape shape, ElementType type, double[] values) =>
        new(shape, type, [.. values.Select(x => Round((float)x, type))]);

    /// <summary>What rows of D elements become in pages of int8; the same numbers for any other type.</summary>
    public HostTensor Stored()
    {
        if (Type != ElementType.Int8)
            return this;
        int width = Shape[-1];
        return this with { Values = [.. Values.Chunk(width).SelectMany(Quantized)] };
    }

    // See IEngine.WritePages.
    private static float[] Quantized(float[] row)
    {
        if (!row.All(float.IsFinite))
            return [.. row.Select(_ => float.NaN)];
        float most = row.Max(Math.Abs), scale = Math.Min(most / 127, MathF.ScaleB(1, 121));
        return most < MathF.ScaleB(1, -100) ? new float[row.Length]
            : [.. row.Select(x => MathF.Round(x * (127 / most), MidpointRounding.ToEven) * scale)];
    }

    private static float Round(float value, ElementType type)
    {
        if (type == ElementType.Float16)
            return (float)(Half)value;
        return type == ElementType.BFloat16 ? BFloat16Bits.Widen(BFloat16Bits.Round(value)) : value;
    }
}

/// <summary>The inputs of a case: random, NaN wherever no kernel may look.</summary>
internal sealed class AttentionProblem
{
    public AttentionProblem(CheckCase check, ElementType queryType, ElementType keyType, int headDim, Random random)
    {
        Case = check;
        Sequences = check.Sequences();
        Pattern = check.CreatePattern();
        Layout = BlockLayout.Create(Pattern, check.KeyCounts.Max());
        Scale = (float)(1 / Math.Sqrt(headDim));
        var queryShape = new Shape(check.Batch, check.QueryRows, check.QueryHeads, headDim);
        var keyShape = new Shape(check.Batch, check.KeyRows, check.KeyValueHeads, headDim);
        (bool[] isQuery, bool[] isKey) = (Used(queryShape, isQuery: true), Used(keyShape, isQuery: false));
        Query = Padded(HostTensor.Normal(random, queryShape, queryType), isQuery);
        Key = Padded(HostTensor.Normal(random, keyShape, keyType), isKey);
        Value = Padded(HostTensor.Normal(random, keyShape, keyType), isKey);
        OutputGradient = Padded(HostTensor.Normal(random, queryShape, queryType), isQuery);
        Damage(random, Query, Key, Value, OutputGradient);
        (KeyRows, Key) = (Key, Key.Stored());
        (ValueRows, Value) = (Value, Value.Stored());
        LogSumExpGradient = check.HasLogSumExpGradient
            ? HostTensor.Normal(random, LogSumExpShape, ElementType.Float32) : null;
        if (check.IsPaged)
        {
            TailLayouts = check.TailLayouts();
            Pages = CreatePages(random, out int count);
            KeyPages = Paged(Key, count);
            ValuePages = Paged(Value, count);
        }
        PartitionSeed = random.Next();
    }

    public CheckCase Case { get; }

    public SequenceBatch Sequences { get; }

    public Patterns.AttentionPattern Pattern { get; }

    public BlockLayout Layout { get; }

    /// <summary>One layout per sequence, where keys lie in pages.</summary>
    public BlockLayout[]? TailLayouts { get; }

    public float Scale { get; }

    /// <summary>Q [B, Nq, H, D].</summary>
    public HostTensor Query { get; }

    /// <summary>K [B, Nk, Hkv, D], as it is stored.</summary>
    public HostTensor Key { get; }

    /// <summary>V [B, Nk, Hkv, D], as it is stored.</summary>
    public HostTensor Value { get; }

    /// <summary>K before pages of int8 round it.</summary>
    public HostTensor KeyRows { get; }

    /// <summary>V before pages of int8 round it.</summary>
    public HostTensor ValueRows { get; }

    /// <summary>dO [B, Nq, H, D].</summary>
    public HostTensor OutputGradient { get; }

    /// <summary>dLSE [B, H, Nq].</summary>
    public HostTensor? LogSumExpGradient { get; }

    public PageTable? Pages { get; }

    /// <summary>K in pages [P, blockTokens, D].</summary>
    public HostTensor? KeyPages { get; }

    /// <summary>V in pages [P, blockTokens, D].</summary>
    public HostTensor? ValuePages { get; }

    /// <summary>Seed of the partitions that are merged, which are random and not results of this problem.</summary>
    public int PartitionSeed { get; }

    public Shape LogSumExpShape => new(Case.Batch, Case.QueryHeads, Case.QueryRows);

    // NaN and infinity in place of finite elements: they belong to the rows that see them, and to no others.
    private void Damage(Random random, params ReadOnlySpan<HostTensor> operands)
    {
        ReadOnlySpan<float> kinds = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];
        for (int n = 0; n < Case.Damages; n++)
        {
            float[] values = operands[random.Next(operands.Length)].Values;
            int at = random.Next(values.Length);
            if (float.IsFinite(values[at]))
                values[at] = kinds[n % kinds.Length];
        }
    }

    // Rows that belong to a sequence.
    private bool[] Used(Shape shape, bool isQuery)
    {
        var used = new bool[shape[0] * shape[1]];
        foreach (var s in Sequences.Sequences)
            used.AsSpan(s.Batch * shape[1] + (isQuery ? s.QueryStart : s.KeyStart), isQuery ? s.QueryCount : s.KeyCount)
                .Fill(true);
        return used;
    }

    private static HostTensor Padded(HostTensor tensor, bool[] used)
    {
        int row = tensor.Shape[2] * tensor.Shape[3];
        for (int n = 0; n < used.Length; n++)
            if (!used[n])
                tensor.Values.AsSpan(n * row, row).Fill(float.NaN);
        return tensor;
    }

    // Pages in random order, some of them unused.
    private PageTable CreatePages(Random random, out int count)
    {
        int blocks = (Case.KeyCounts.Max() + Case.BlockTokens - 1) / Case.BlockTokens,
            group = Pattern.PatternHeads / Case.KeyValueHeads;
        var table = new PageTable(Case.KeyCounts.Length, Case.KeyValueHeads, blocks);
        int[] free = [.. Enumerable.Range(0, Case.KeyCounts.Length * Case.KeyValueHeads * blocks + 2)];
        random.Shuffle(free);
        count = free.Length;
        int next = 0;
        for (int s = 0; s < Case.KeyCounts.Length; s++)
            for (int head = 0; head < Case.KeyValueHeads; head++)
                for (int block = 0; block * Case.BlockTokens < Case.KeyCounts[s]; block++)
                    if (Enumerable.Range(head * group, group).Any(h => TailLayouts![s].Column(h, block).Count > 0))
                        table[s, head, block] = free[next++];
        return table;
    }

    private HostTensor Paged(HostTensor plain, int count)
    {
        int headDim = plain.Shape[3];
        var values = new float[count * Case.BlockTokens * headDim];
        Array.Fill(values, float.NaN); // past the last key, and in pages without an owner
        for (int s = 0; s < Case.KeyCounts.Length; s++)
            for (int head = 0; head < Case.KeyValueHeads; head++)
                for (int j = 0; j < Case.KeyCounts[s]; j++)
                {
                    int page = Pages![s, head, j / Case.BlockTokens], row = s * plain.Shape[1] + j;
                    if (page != PageTable.None)
                        plain.Values.AsSpan((row * Case.KeyValueHeads + head) * headDim, headDim)
                            .CopyTo(values.AsSpan((page * Case.BlockTokens + j % Case.BlockTokens) * headDim));
                }
        return new HostTensor(new Shape(count, Case.BlockTokens, headDim), plain.Type, values);
    }
}
