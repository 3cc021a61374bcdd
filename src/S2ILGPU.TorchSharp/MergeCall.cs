using S2ILGPU.Cpu;
using S2ILGPU.Ops;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>A merge of partitions.</summary>
/// <param name="parts">Outputs, then as many log-sum-exps.</param>
/// <param name="engine">What computes.</param>
internal sealed class MergeCall(Tensor[] parts, CpuEngine? engine) : EngineCall(parts)
{
    // Parts of a merge agree in their scale, whatever it is.
    private const float AnyScale = 1;

    private readonly int _parts = parts.Length / 2;

    /// <inheritdoc/>
    public override void Forward()
    {
        for (int p = 0; p < Inputs.Length; p++)
            Save(Inputs[p], p < _parts ? $"outputs[{p}]" : $"log-sum-exps[{p - _parts}]");
        using var turn = new EngineTurn(engine);
        using var merged = SparseAttention.Merge(turn.Engine, Parts(turn, Saved));
        Results = [TorchTensors.Empty(Saved[0].shape, Saved[0].dtype),
            TorchTensors.Empty(Saved[_parts].shape, ScalarType.Float32)];
        turn.Engine.Copy(merged.Output, turn.View(Results[0]));
        turn.Engine.Copy(merged.LogSumExp, turn.View(Results[1]));
        SaveResults();
    }

    /// <inheritdoc/>
    public override Tensor[] Backward(IReadOnlyList<Tensor> saved, Tensor? output, Tensor? logSumExp)
    {
        using var dOutput = output is null ? zeros_like(saved[^2]) : TorchTensors.Readable(output, "output gradient");
        using var dLogSumExp = logSumExp is null ? null : TorchTensors.Readable(logSumExp, "log-sum-exp gradient");
        Tensor[] gradients =
            [.. saved.Take(2 * _parts).Select(tensor => TorchTensors.Empty(tensor.shape, tensor.dtype))];
        using var turn = new EngineTurn(engine);
        var merged = new AttentionResult(turn.View(saved[^2]), turn.View(saved[^1]), AnyScale);
        var parts = SparseAttention.MergeBackward(turn.Engine, Parts(turn, saved), merged, turn.View(dOutput),
            dLogSumExp is null ? null : turn.View(dLogSumExp));
        for (int p = 0; p < _parts; p++)
            using (parts[p])
            {
                turn.Engine.Copy(parts[p].Output, turn.View(gradients[p]));
                turn.Engine.Copy(parts[p].LogSumExp, turn.View(gradients[_parts + p]));
            }
        return WhereNeeded(gradients);
    }

    private AttentionResult[] Parts(EngineTurn turn, IReadOnlyList<Tensor> tensors)
    {
        var parts = new AttentionResult[_parts];
        for (int p = 0; p < _parts; p++)
            parts[p] = new AttentionResult(turn.View(tensors[p]), turn.View(tensors[_parts + p]), AnyScale);
        return parts;
    }
}
