using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>Memory of one thread.</summary>
public static class LocalMemory
{
    /// <summary>An array of the thread.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="extent">The number of elements.</param>
    /// <returns>The array, not initialised.</returns>
    public static ArrayView<T> Allocate<T>(int extent)
        where T : unmanaged => Engine.Current.AllocateLocal<T>(extent, Engine.Session.Schedule.Poison);
}
