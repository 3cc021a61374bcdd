using System.Runtime.CompilerServices;
using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>Memory that the threads of a group share.</summary>
public static class SharedMemory
{
    /// <summary>An array of the group. Every thread must make the same allocations in the same order.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="extent">The number of elements.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The array, the same for all threads, not initialised.</returns>
    public static ArrayView<T> Allocate<T>(int extent, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Shared.Allocate<T>(Engine.Current, extent, new Site(line, file));

    /// <summary>A single element of the group.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <returns>A reference to it.</returns>
    public static ref T Allocate<T>()
        where T : unmanaged => ref Engine.Shared.Allocate<T>(Engine.Current, 1, Site.Unknown)[0, 0, ""];

    /// <summary>The memory that the launch's <see cref="SharedMemoryConfig"/> asked for.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <returns>All of it, not initialised.</returns>
    public static ArrayView<T> GetDynamic<T>()
        where T : unmanaged => Engine.Shared.Dynamic<T>();
}
