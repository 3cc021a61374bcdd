using System.Runtime.CompilerServices;
using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>The group of threads that the running thread belongs to.</summary>
public static class Group
{
    /// <summary>The thread's X position in its group.</summary>
    public static int IdxX => Engine.Current.Index.X;

    /// <summary>The thread's Y position in its group.</summary>
    public static int IdxY => Engine.Current.Index.Y;

    /// <summary>The thread's Z position in its group.</summary>
    public static int IdxZ => Engine.Current.Index.Z;

    /// <summary>The number of threads of a group in X.</summary>
    public static int DimX => Engine.GroupDim.X;

    /// <summary>The number of threads of a group in Y.</summary>
    public static int DimY => Engine.GroupDim.Y;

    /// <summary>The number of threads of a group in Z.</summary>
    public static int DimZ => Engine.GroupDim.Z;

    /// <summary>The thread's position in its group.</summary>
    public static Index3D Index => Engine.Current.Index;

    /// <summary>The number of threads of a group in each dimension.</summary>
    public static Index3D Dimension => Engine.GroupDim;

    /// <summary>The thread's number in its group, X fastest.</summary>
    public static int LinearIndex => Engine.Current.Id;

    /// <summary>Whether it is thread 0.</summary>
    public static bool IsFirstThread => LinearIndex == 0;

    /// <summary>Whether it is the last thread.</summary>
    public static bool IsLastThread => LinearIndex == Engine.GroupDim.Size - 1;

    /// <summary>Waits for all threads of the group; what they wrote before is visible to all after.</summary>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void Barrier([CallerLineNumber] int line = 0, [CallerFilePath] string file = "") => Engine.Executor.GroupBarrier(new Site(line, file));

    /// <summary>A barrier that counts the threads for which the predicate holds.</summary>
    /// <param name="predicate">This thread's answer.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The number of threads that said yes.</returns>
    public static int BarrierPopCount(bool predicate, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "") =>
        Engine.Executor.Count(predicate, new Site(line, file));

    /// <summary>A barrier that tells whether the predicate holds for all threads.</summary>
    /// <param name="predicate">This thread's answer.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>Whether all said yes.</returns>
    public static bool BarrierAnd(bool predicate, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "") =>
        Engine.Executor.Count(predicate, new Site(line, file)) == Engine.GroupDim.Size;

    /// <summary>A barrier that tells whether the predicate holds for any thread.</summary>
    /// <param name="predicate">This thread's answer.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>Whether one said yes.</returns>
    public static bool BarrierOr(bool predicate, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "") =>
        Engine.Executor.Count(predicate, new Site(line, file)) > 0;
}
