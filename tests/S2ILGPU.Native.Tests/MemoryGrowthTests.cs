using System.Diagnostics;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>Tests of the memory of the process run alone.</summary>
[CollectionDefinition(nameof(ProcessMemory), DisableParallelization = true)]
public sealed class ProcessMemory;

/// <summary>Thousands of calls, good and bad, keep nothing.</summary>
[Collection(nameof(ProcessMemory))]
public sealed unsafe class MemoryGrowthTests
{
    private const int Calls = 10_000;

    // A kilobyte per call would be 10 MB.
    private const long MostManagedBytes = 2 << 20, MostProcessBytes = 24 << 20;

    [Fact]
    public void Ten_thousand_calls_keep_nothing()
    {
        ulong engine = NativeApi.Engine();
        using var run = new SmallRun();
        Repeat(run, engine, Calls / 10);
        int handles = Handles.Count;
        var (managed, process) = Used();
        Repeat(run, engine, Calls);
        var (managedAfter, processAfter) = Used();
        Assert.Equal(handles, Handles.Count);
        Assert.InRange(managedAfter - managed, long.MinValue, MostManagedBytes);
        Assert.InRange(processAfter - process, long.MinValue, MostProcessBytes);
        Release(engine);
    }

    private static void Repeat(SmallRun run, ulong engine, int calls)
    {
        var call = default(NativeForward);
        for (int n = 0; n < calls; n += 5)
        {
            ulong layout = NativeApi.Layout(LocalStride(), SmallRun.Tokens); // 3 calls
            Check(run.Forward(engine, layout));
            Check(run.Backward(engine, layout));
            Assert.Equal(Status.Argument, (Status)Api.AttentionForward(engine, layout, &call));
            Release(layout);
        }
    }

    private static (long Managed, long Process) Used()
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        using var process = Process.GetCurrentProcess();
        return (managed, process.PrivateMemorySize64);
    }
}
