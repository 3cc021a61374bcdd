using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>A call of sparse attention, with the arguments of <see cref="TorchAttention.Forward"/>.</summary>
internal sealed class AttentionCall(Tensor query, Tensor key, Tensor value, BlockLayout layout, float? scale,
    SequenceBatch? sequences, CpuEngine? engine) : EngineCall(query, key, value)
{
    private float _scale;

    /// <inheritdoc/>
    public override void Forward()
    {
        Tensor q = Save(Inputs[0], "query"), k = Save(Inputs[1], "key"), v = Save(Inputs[2], "value");
        if (q.dim() != 4)
            throw new ArgumentException(
                $"query is [batch, tokens, heads, head dim], got [{string.Join(", ", q.shape)}]");
        Results = [TorchTensors.Empty(q.shape, q.dtype),
            TorchTensors.Empty([q.shape[0], q.shape[2], q.shape[1]], ScalarType.Float32)];
        using var turn = new EngineTurn(engine);
        using var result = SparseAttention.Forward(turn.Engine, turn.View(q), turn.View(k), turn.View(v), layout,
            new AttentionOptions { Scale = scale, Sequences = sequences }, turn.View(Results[0]),
            turn.View(Results[1]));
        _scale = result.Scale;
        SaveResults();
    }

    /// <inheritdoc/>
    public override Tensor[] Backward(IReadOnlyList<Tensor> saved, Tensor? output, Tensor? logSumExp)
    {
        using var dOutput = output is null ? zeros_like(saved[3]) : TorchTensors.Readable(output, "output gradient");
        using var dLogSumExp = logSumExp is null ? null : TorchTensors.Readable(logSumExp, "log-sum-exp gradient");
        Tensor[] gradients = [.. saved.Take(3).Select(tensor => TorchTensors.Empty(tensor.shape, tensor.dtype))];
        using var turn = new EngineTurn(engine);
        var result = new AttentionResult(turn.View(saved[3]), turn.View(saved[4]), _scale, sequences);
        SparseAttention.Backward(turn.Engine, turn.View(saved[0]), turn.View(saved[1]), turn.View(saved[2]), result,
            turn.View(dOutput), layout, dLogSumExp is null ? null : turn.View(dLogSumExp),
            into: new AttentionGradients(turn.View(gradients[0]), turn.View(gradients[1]), turn.View(gradients[2])));
        return WhereNeeded(gradients);
    }
}
