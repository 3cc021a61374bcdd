namespace S2ILGPU.Core.Tests;

/// <summary>Managed memory that work takes in its steady state.</summary>
internal static class Allocations
{
    private const int Attempts = 5;

    /// <summary>The fewest bytes of the calling thread over a few runs: what a run takes every time. The runtime itself
    /// allocates now and then, when a lock is contended for the first time for example.</summary>
    public static long OfEveryRun(Action run)
    {
        long fewest = long.MaxValue;
        for (int n = 0; n < Attempts && fewest > 0; n++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            fewest = Math.Min(fewest, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return fewest;
    }
}
