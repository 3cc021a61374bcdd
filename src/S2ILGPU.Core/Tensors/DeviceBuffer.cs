namespace S2ILGPU.Tensors;

/// <summary>A piece of device memory, reference-counted because tensors share it as views. The engine that made it
/// knows what is inside.</summary>
/// <remarks>Created with one reference. Not thread-safe: an engine's memory belongs to the thread that drives
/// it.</remarks>
/// <param name="sizeBytes">Size in bytes.</param>
public abstract class DeviceBuffer(long sizeBytes)
{
    /// <summary>Size in bytes.</summary>
    public long SizeBytes { get; } = sizeBytes;

    /// <summary>Number of tensors that hold the buffer; 0 once it went back to its engine.</summary>
    public int References { get; private set; }

    /// <summary>What the present holder asked for, for the allocator's counts; <see cref="SizeBytes"/> may be rounded
    /// up.</summary>
    internal long HeldBytes { get; set; }

    /// <summary>Adds a holder.</summary>
    public void AddReference() => References++;

    /// <summary>Removes a holder; the last one gives the memory back to the engine.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was given back already.</exception>
    public void Release()
    {
        ObjectDisposedException.ThrowIf(References == 0, this);
        if (--References == 0)
            Return();
    }

    /// <summary>Gives the memory back to the engine, which may hand it out again.</summary>
    protected abstract void Return();
}
