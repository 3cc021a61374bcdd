namespace S2ILGPU.KernelLab;

/// <summary>One place in the source where kernels break the rules.</summary>
public sealed class Finding
{
    internal Finding(FindingKind kind, string message)
    {
        Kind = kind;
        Message = message;
    }

    /// <summary>What is wrong.</summary>
    public FindingKind Kind { get; }

    /// <summary>The first occurrence: array, element, source lines, threads and groups.</summary>
    public string Message { get; }

    /// <summary>How often the same lines did it to the same array.</summary>
    public int Occurrences { get; internal set; } = 1;

    /// <inheritdoc/>
    public override string ToString() => Occurrences == 1 ? Message : $"{Message} ({Occurrences} times)";
}
