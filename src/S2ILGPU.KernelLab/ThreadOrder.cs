namespace S2ILGPU.KernelLab;

/// <summary>Who runs first between two barriers.</summary>
public enum ThreadOrder
{
    /// <summary>Thread 0, then 1, and so on; groups likewise.</summary>
    Ascending,

    /// <summary>The last thread and the last group first.</summary>
    Descending,

    /// <summary>A random thread that may run, each time; groups shuffled.</summary>
    Random,
}
