namespace S2ILGPU.Distributed.Hosts;

/// <summary>Keeps memory of operations that are complete: those of a training have the same sizes in every
/// step.</summary>
internal sealed class HostMemoryPool
{
    private const long MostBytes = 256L << 20;

    private readonly Dictionary<long, Stack<HostMemory>> _free = [];
    private long _bytes;

    /// <summary>Memory with undefined content.</summary>
    public HostMemory Take(long sizeBytes)
    {
        if (!_free.TryGetValue(sizeBytes, out var stack) || !stack.TryPop(out var memory))
            return new HostMemory(sizeBytes);
        _bytes -= sizeBytes;
        return memory;
    }

    /// <summary>Takes memory back that no message uses any more.</summary>
    public void Give(HostMemory memory)
    {
        if (_bytes + memory.SizeBytes > MostBytes)
            return;
        if (!_free.TryGetValue(memory.SizeBytes, out var stack))
            _free[memory.SizeBytes] = stack = [];
        stack.Push(memory);
        _bytes += memory.SizeBytes;
    }
}
