using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using static S2ILGPU.Native.PatternFunctions;

namespace S2ILGPU.Native;

/// <summary>The functions <c>attention_merge</c> and <c>attention_merge_backward</c>.</summary>
internal static unsafe class MergeFunctions
{
    // Parts of a merge agree in their scale, whatever it is.
    private const float AnyScale = 1;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Merge(ulong engine, NativeMerge* call) => Boundary.Run(() =>
    {
        NotNull(call, nameof(call));
        NotNull(call->Outputs, "outputs");
        NotNull(call->LogSumExps, "log_sum_exps");
        if (call->Parts is < 1 or > int.MaxValue)
            throw new ArgumentException($"a merge has 1 part or more, got {call->Parts}");
        using var turn = Handles.Get<EngineSlot>(engine).Enter();
        using var operands = new Operands(turn.Engine, turn.Host);
        var parts = new List<AttentionResult>();
        for (long p = 0; p < call->Parts; p++)
            parts.Add(new AttentionResult(operands.Read(call->Outputs + p, $"outputs[{p}]"),
                operands.Read(call->LogSumExps + p, $"log_sum_exps[{p}]"), AnyScale));
        Tensor output = operands.Write(call->Output, "output"),
            logSumExp = operands.Write(call->LogSumExp, "log_sum_exp");
        using var merged = SparseAttention.Merge(turn.Engine, parts);
        Copy(turn.Engine, merged.Output, output, "output");
        Copy(turn.Engine, merged.LogSumExp, logSumExp, "log_sum_exp");
        operands.Finish();
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Backward(ulong engine, NativeMergeBackward* call) => Boundary.Run(() =>
    {
        NotNull(call, nameof(call));
        using var turn = Handles.Get<EngineSlot>(engine).Enter();
        using var operands = new Operands(turn.Engine, turn.Host);
        var part = new AttentionResult(operands.Read(call->PartOutput, "part_output"),
            operands.Read(call->PartLogSumExp, "part_log_sum_exp"), AnyScale);
        var merged = new AttentionResult(operands.Read(call->Output, "output"),
            operands.Read(call->LogSumExp, "log_sum_exp"), AnyScale);
        Tensor output = operands.Write(call->PartOutputGradient, "part_output_gradient"),
            logSumExp = operands.Write(call->PartLogSumExpGradient, "part_log_sum_exp_gradient");
        using var gradients = SparseAttention.MergeBackward(turn.Engine, [part], merged,
            operands.Read(call->OutputGradient, "output_gradient"),
            operands.ReadIfGiven(call->LogSumExpGradient, "log_sum_exp_gradient"))[0];
        Copy(turn.Engine, gradients.Output, output, "part_output_gradient");
        Copy(turn.Engine, gradients.LogSumExp, logSumExp, "part_log_sum_exp_gradient");
        operands.Finish();
    });

    private static void Copy(IEngine engine, Tensor from, Tensor to, string name)
    {
        if (from.ElementType != to.ElementType)
            throw new ShapeException("attention_merge", name, from.ToString(), to.ToString());
        ShapeException.ThrowUnless("attention_merge", name, to, from.Shape);
        if (from.Count > 0)
            engine.Copy(from, to);
    }
}
