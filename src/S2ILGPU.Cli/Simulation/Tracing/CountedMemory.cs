using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>Memory that is counted as an engine counts it, and does not exist.</summary>
internal sealed class CountedMemory() : CachingAllocator<CountedBuffer>(typeof(TracedEngine), classesPerDoubling: 1)
{
    protected override void OnRented(CountedBuffer buffer) => buffer.Values = null;

    protected override CountedBuffer Allocate(long sizeBytes, long classBytes) => new(this, classBytes);

    protected override void Free(CountedBuffer buffer)
    {
        // there is nothing behind it
    }
}

/// <summary>A buffer without bytes.</summary>
internal sealed class CountedBuffer(CountedMemory owner, long sizeBytes) : DeviceBuffer(sizeBytes)
{
    /// <summary>Integers that were uploaded, or gathered, where they are few: ranks compare them before they train.
    /// Null for zeros.</summary>
    public int[]? Values { get; set; }

    protected override void Return() => owner.Return(this);
}
