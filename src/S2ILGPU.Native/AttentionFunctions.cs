using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using static S2ILGPU.Native.PatternFunctions;

namespace S2ILGPU.Native;

/// <summary>The functions <c>attention_forward</c>, <c>_backward</c> and <c>_decode</c>.</summary>
internal static unsafe class AttentionFunctions
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Forward(ulong engine, ulong layout, NativeForward* call) => Boundary.Run(() =>
    {
        NotNull(call, nameof(call));
        Run(engine, layout, call, Sequences(call->Sequences, call->SequenceCount));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Decode(ulong engine, ulong layout, NativeForward* call, int* keyCounts) => Boundary.Run(() =>
    {
        NotNull(call, nameof(call));
        NotNull(call->Query, "query");
        if (call->Sequences != null || call->SequenceCount != 0)
            throw new ArgumentException("decoding has key counts in place of sequences");
        if (call->Query->Rank != 4)
            throw new ShapeException("attention_decode", "query", "of rank 4", $"rank {call->Query->Rank}");
        long batch = call->Query->Shape[0], queries = call->Query->Shape[1];
        if (batch < 0 || batch > Array.MaxLength || queries < 0 || queries > int.MaxValue)
            throw new ShapeException("attention_decode", "query", "[B, Nq, H, D]", $"[{batch}, {queries}, ...]");
        if (batch > 0)
            NotNull(keyCounts, "key_counts");
        var sequences = new Sequence[batch];
        for (int b = 0; b < sequences.Length; b++)
            sequences[b] = new Sequence(b, 0, (int)queries, 0, keyCounts[b]);
        Run(engine, layout, call, new SequenceBatch(sequences));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Backward(ulong engine, ulong layout, NativeBackward* call) => Boundary.Run(() =>
    {
        NotNull(call, nameof(call));
        var l = Handles.Get<BlockLayout>(layout);
        using var turn = Handles.Get<EngineSlot>(engine).Enter();
        using var operands = new Operands(turn.Engine, turn.Host);
        Tensor query = operands.Read(call->Query, "query"), key = operands.Read(call->Key, "key"),
            value = operands.Read(call->Value, "value");
        var forward = new AttentionResult(operands.Read(call->Output, "output"),
            operands.Read(call->LogSumExp, "log_sum_exp"), Scale(call->Scale, query),
            Sequences(call->Sequences, call->SequenceCount));
        var into = new AttentionGradients(
            operands.WriteOrDrop(call->QueryGradient, "query_gradient", query),
            operands.WriteOrDrop(call->KeyGradient, "key_gradient", key),
            operands.WriteOrDrop(call->ValueGradient, "value_gradient", value));
        SparseAttention.Backward(turn.Engine, query, key, value, forward,
            operands.Read(call->OutputGradient, "output_gradient"), l,
            operands.ReadIfGiven(call->LogSumExpGradient, "log_sum_exp_gradient"), into: into);
        operands.Finish();
    });

    private static void Run(ulong engine, ulong layout, NativeForward* call, SequenceBatch? sequences)
    {
        var l = Handles.Get<BlockLayout>(layout);
        using var turn = Handles.Get<EngineSlot>(engine).Enter();
        using var operands = new Operands(turn.Engine, turn.Host);
        Tensor query = operands.Read(call->Query, "query"), key = operands.Read(call->Key, "key"),
            value = operands.Read(call->Value, "value"), output = operands.Write(call->Output, "output");
        var logSumExp = call->LogSumExp == null ? null : operands.Write(call->LogSumExp, "log_sum_exp");
        using var result = SparseAttention.Forward(turn.Engine, query, key, value, l,
            new AttentionOptions { Scale = Scale(call->Scale, query), Sequences = sequences }, output, logSumExp);
        operands.Finish();
    }

    private static float Scale(float* scale, Tensor query)
    {
        float value = scale != null ? *scale : (float)(1 / Math.Sqrt(Math.Max(1, query.Shape[-1])));
        return float.IsFinite(value) ? value : throw new ArgumentException($"scale must be finite, got {value}");
    }

    private static SequenceBatch? Sequences(NativeSequence* sequences, long count)
    {
        if (sequences == null && count == 0)
            return null;
        NotNull(sequences, "sequences");
        if (count is < 0 or > int.MaxValue)
            throw new ArgumentException($"a number of sequences is 0 to {int.MaxValue}, got {count}");
        var batch = new Sequence[count];
        for (int s = 0; s < batch.Length; s++)
            batch[s] = new Sequence(sequences[s].Batch, sequences[s].QueryStart, sequences[s].QueryCount,
                sequences[s].KeyStart, sequences[s].KeyCount);
        return new SequenceBatch(batch);
    }
}
