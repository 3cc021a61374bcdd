using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;

namespace S2ILGPU.Extensions.AI;

/// <summary>Which model to load, and how. An immutable value; defaults here.</summary>
public sealed record ChatModelOptions
{
    /// <summary>The model's folder, as <c>s2 train</c> writes it or from Hugging Face.</summary>
    public required string Folder { get; init; }

    /// <summary>The model's name in responses; null for the name of the folder.</summary>
    public string? ModelName { get; init; }

    /// <summary>Name of the device, as in <c>auto</c>, <c>cpu</c> or <c>cuda:0</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Element type of matrices and activations; null for the engine's own.</summary>
    public ElementType? Precision { get; init; }

    /// <summary>Limits of the scheduler: sequences, tokens of a step, bytes of the cache, length of the queue.
    /// </summary>
    public SchedulerOptions Scheduler { get; init; } = new();

    internal string Name => ModelName
        ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));
}
