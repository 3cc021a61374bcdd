using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>A call of the engine with a gradient: of tensors in the graph, to an output and a log-sum-exp.</summary>
/// <param name="inputs">What is differentiated.</param>
internal abstract class EngineCall(params Tensor[] inputs) : IDisposable
{
    /// <summary>What is differentiated; empty once the call is part of the graph.</summary>
    public Tensor[] Inputs { get; private set; } = inputs;

    /// <summary>What <see cref="Backward"/> gets, outside of the graph. Filled by <see cref="Forward"/>.</summary>
    public List<Tensor> Saved { get; } = [];

    /// <summary>Output and log-sum-exp.</summary>
    public Tensor[] Results { get; protected set; } = [];

    /// <summary>Whether gradients of inputs are wanted, one each.</summary>
    public bool[] IsNeeded { get; } = [.. inputs.Select(input => input is { requires_grad: true })];

    /// <summary>Checks, computes, and fills <see cref="Results"/> and <see cref="Saved"/>.</summary>
    public abstract void Forward();

    /// <summary>The gradients of the inputs, null where none is wanted.</summary>
    /// <param name="saved">What was saved.</param>
    /// <param name="output">Gradient of the output; null for 0.</param>
    /// <param name="logSumExp">Gradient of the log-sum-exp; null for 0.</param>
    public abstract Tensor[] Backward(IReadOnlyList<Tensor> saved, Tensor? output, Tensor? logSumExp);

    /// <summary>The results, which are the caller's from here on.</summary>
    public (Tensor Output, Tensor LogSumExp) TakeResults()
    {
        var results = (Results[0], Results[1]);
        Results = [];
        return results;
    }

    /// <summary>Releases the handles: the graph has its own.</summary>
    public void Dispose()
    {
        foreach (var tensor in Saved.Concat(Results))
            tensor.Dispose();
        Saved.Clear();
        Results = [];
        Inputs = [];
    }

    /// <summary>Saves an input, readable by the engine.</summary>
    protected Tensor Save(Tensor input, string name)
    {
        Saved.Add(TorchTensors.Readable(input, name));
        return Saved[^1];
    }

    /// <summary>Saves the results. Outside of the graph, or the node would keep itself.</summary>
    protected void SaveResults() => Saved.AddRange(Results.Select(result => result.detach()));

    /// <summary>Releases the gradients of inputs that want none.</summary>
    protected Tensor[] WhereNeeded(Tensor[] gradients)
    {
        for (int i = 0; i < gradients.Length; i++)
            if (!IsNeeded[i])
            {
                gradients[i].Dispose();
                gradients[i] = null!; // what TorchSharp takes for none
            }
        return gradients;
    }
}
