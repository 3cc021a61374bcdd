using System.Runtime.CompilerServices;
using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>The 32 threads that the running thread marches with.</summary>
/// <remarks>The overloads with a width have exactly ILGPU's parameters: without them a width would silently be taken for the optional line number.</remarks>
public static class Warp
{
    /// <summary>32.</summary>
    public static int WarpSize => Engine.WarpSize;

    /// <summary>The thread's number in its warp.</summary>
    public static int LaneIdx => Engine.Current.LaneIdx;

    /// <summary>The warp's number in its group.</summary>
    public static int WarpIdx => Engine.Current.WarpIdx;

    /// <summary>Whether it is lane 0.</summary>
    public static bool IsFirstLane => LaneIdx == 0;

    /// <summary>Whether it is lane 31.</summary>
    public static bool IsLastLane => LaneIdx == Engine.WarpSize - 1;

    /// <summary>Waits for all lanes; what they wrote before is visible to all of them after.</summary>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    public static void Barrier([CallerLineNumber] int line = 0, [CallerFilePath] string file = "") => Engine.Executor.WarpBarrier(ordersMemory: true, new Site(line, file));

    /// <summary>The value of a lane.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="sourceLane">That lane.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The other lane's value, or this lane's own if there is no such lane.</returns>
    public static T Shuffle<T>(T variable, int sourceLane, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Exchange(variable, sourceLane & (Engine.WarpSize - 1), new Site(line, file));

    /// <summary>The value of a lane, inside segments of the warp.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="sourceLane">That lane.</param>
    /// <param name="width">The lanes of a segment, a power of two.</param>
    /// <returns>The other lane's value, or this lane's own if it is in another segment.</returns>
    public static T Shuffle<T>(T variable, int sourceLane, int width)
        where T : unmanaged => Engine.Executor.Exchange(variable, Segment(width) + (sourceLane & (width - 1)), Site.Unknown);

    /// <summary>The value of the lane so much higher.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="delta">How much.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The other lane's value, or this lane's own if there is no such lane.</returns>
    public static T ShuffleDown<T>(T variable, int delta, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Exchange(variable, LaneIdx + delta, new Site(line, file));

    /// <summary>The value of the lane so much higher, inside segments of the warp.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="delta">How much.</param>
    /// <param name="width">The lanes of a segment, a power of two.</param>
    /// <returns>The other lane's value, or this lane's own if it is in another segment.</returns>
    public static T ShuffleDown<T>(T variable, int delta, int width)
        where T : unmanaged => Engine.Executor.Exchange(variable, InSegment(LaneIdx + delta, width), Site.Unknown);

    /// <summary>The value of the lane so much lower.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="delta">How much.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The other lane's value, or this lane's own if there is no such lane.</returns>
    public static T ShuffleUp<T>(T variable, int delta, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Exchange(variable, LaneIdx - delta, new Site(line, file));

    /// <summary>The value of the lane so much lower, inside segments of the warp.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="delta">How much.</param>
    /// <param name="width">The lanes of a segment, a power of two.</param>
    /// <returns>The other lane's value, or this lane's own if it is in another segment.</returns>
    public static T ShuffleUp<T>(T variable, int delta, int width)
        where T : unmanaged => Engine.Executor.Exchange(variable, InSegment(LaneIdx - delta, width), Site.Unknown);

    /// <summary>The value of the lane whose number differs in these bits.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="mask">The bits.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The other lane's value, or this lane's own if there is no such lane.</returns>
    public static T ShuffleXor<T>(T variable, int mask, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Exchange(variable, LaneIdx ^ mask, new Site(line, file));

    /// <summary>The value of the lane whose number differs in these bits, inside segments of the warp.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="variable">This lane's value.</param>
    /// <param name="mask">The bits.</param>
    /// <param name="width">The lanes of a segment, a power of two.</param>
    /// <returns>The other lane's value, or this lane's own if it is in another segment.</returns>
    public static T ShuffleXor<T>(T variable, int mask, int width)
        where T : unmanaged => Engine.Executor.Exchange(variable, InSegment(LaneIdx ^ mask, width), Site.Unknown);

    /// <summary>The value of one lane for all.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="value">This lane's value.</param>
    /// <param name="sourceLane">Whose value is wanted, the same for all lanes.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>That lane's value.</returns>
    public static T Broadcast<T>(T value, int sourceLane, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged => Engine.Executor.Exchange(value, sourceLane & (Engine.WarpSize - 1), new Site(line, file));

    private static int Segment(int width) => LaneIdx & ~(width - 1);

    private static int InSegment(int lane, int width) => (lane & ~(width - 1)) == Segment(width) ? lane : LaneIdx;
}
