namespace ILGPU;

/// <summary>The dynamic shared memory of a launch.</summary>
public readonly struct SharedMemoryConfig
{
    /// <summary>None.</summary>
    public static readonly SharedMemoryConfig Empty;

    /// <summary>Asks for memory.</summary>
    /// <param name="numElements">The number of elements.</param>
    /// <param name="elementSize">The bytes of an element.</param>
    public SharedMemoryConfig(int numElements, int elementSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numElements);
        ArgumentOutOfRangeException.ThrowIfNegative(elementSize);
        NumElements = numElements;
        ElementSize = elementSize;
    }

    /// <summary>The number of elements.</summary>
    public int NumElements { get; }

    /// <summary>The bytes of an element.</summary>
    public int ElementSize { get; }

    /// <summary>The bytes of all elements.</summary>
    public int ArraySize => checked(NumElements * ElementSize);

    /// <summary>Whether any is asked for.</summary>
    public bool UsesDynamicSharedMemory => NumElements > 0 && ElementSize > 0;

    /// <summary>Asks for memory.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="numElements">The number of elements.</param>
    /// <returns>The request.</returns>
    public static SharedMemoryConfig RequestDynamic<T>(int numElements)
        where T : unmanaged => new(numElements, Interop.SizeOf<T>());
}
