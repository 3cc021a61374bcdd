using S2ILGPU.TestSupport;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>Released, made up and wrong handles give a status, from one thread and from many.</summary>
public sealed unsafe class HandleTests
{
    private const int Threads = 8, Rounds = 200;

    [Fact]
    public void Released_handles_stay_released()
    {
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(), 40);
        Release(engine, layout);
        var call = default(NativeForward);
        var info = default(NativeLayoutInfo);
        CheckFails(Status.Handle, $"handle 0x{engine:x} (engine)", Api.Release(engine));
        CheckFails(Status.Handle, $"handle 0x{layout:x} (layout)", Api.Release(layout));
        CheckFails(Status.Handle, "(layout)", Api.AttentionForward(engine, layout, &call));
        CheckFails(Status.Handle, "(layout)", Api.LayoutInfo(layout, &info));
        Assert.NotEqual(engine, NativeApi.Engine());
    }

    [Fact]
    public void Handles_of_another_kind_are_refused()
    {
        ulong engine = NativeApi.Engine(), pattern = LocalStride(), layout;
        var info = default(NativePatternInfo);
        CheckFails(Status.Handle, "not a pattern", Api.PatternInfo(engine, &info));
        CheckFails(Status.Handle, "not a pattern", Api.LayoutCreate(engine, 10, -1, &layout));
        Check(Api.LayoutCreate(pattern, 10, -1, &layout));
        NativeTensor none = default;
        var call = new NativeMerge { Parts = 1, Outputs = &none, LogSumExps = &none };
        CheckFails(Status.Handle, "not an engine", Api.AttentionMerge(layout, &call));
        var layoutInfo = default(NativeLayoutInfo);
        CheckFails(Status.Handle, "not a layout", Api.LayoutInfo(pattern, &layoutInfo));
        Release(engine, pattern, layout);
    }

    [Fact]
    public void Garbage_is_refused()
    {
        var random = Seeds.NewRandom();
        var info = default(NativePatternInfo);
        ulong[] garbage = [0, 1, 2, ulong.MaxValue, (ulong)&info, .. Enumerable.Range(0, 1000)
            .Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue))];
        foreach (ulong handle in garbage)
        {
            CheckFails(Status.Handle, "released or never given", Api.PatternInfo(handle, &info));
            CheckFails(Status.Handle, "released or never given", Api.Release(handle));
        }
    }

    [Fact]
    public void Layouts_outlive_their_patterns()
    {
        ulong left = LocalStride(), right = LocalStride(stride: 3), both;
        Check(Api.PatternCombine(left, right, 1, &both));
        Release(left, right);
        ulong layout = NativeApi.Layout(both, 100);
        var info = default(NativeLayoutInfo);
        Check(Api.LayoutInfo(layout, &info));
        Assert.Equal(7, info.KeyBlocks);
        Release(layout);
    }

    [Fact]
    public void Threads_share_engines_and_release_them_once()
    {
        int before = Handles.Count;
        ulong layout = NativeApi.Layout(LocalStride(), 33);
        for (int round = 0; round < 4; round++)
        {
            ulong engine = NativeApi.Engine(threads: 2);
            int released = 0, computed = 0;
            var statuses = new List<int>();
            RunThreads(thread =>
            {
                using var run = new SmallRun();
                float[]? first = null;
                for (int n = 0; n < 50; n++)
                {
                    int status = run.Forward(engine, layout);
                    if (status == 0)
                    {
                        Interlocked.Increment(ref computed);
                        first ??= run.Output;
                        Assert.Equal(first, run.Output);
                    }
                    else
                        lock (statuses)
                            statuses.Add(status);
                    if (n == 10 + thread && Api.Release(engine) == 0)
                        Interlocked.Increment(ref released);
                }
            });
            Assert.Equal(1, released);
            Assert.True(computed > 0);
            Assert.All(statuses, status => Assert.Equal(Status.Handle, (Status)status));
            Assert.NotEmpty(statuses);
        }
        Release(layout);
        Assert.InRange(Handles.Count, 0, before + 100);
    }

    [Fact]
    public void Messages_belong_to_their_thread()
    {
        RunThreads(thread =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                ulong handle = 1000 * (ulong)(thread + 1) + (ulong)round;
                Assert.Equal(Status.Handle, (Status)Api.Release(handle));
                Assert.Contains($"0x{handle:x}:", LastError);
            }
        });
    }

    private static void RunThreads(Action<int> body)
    {
        var failures = new List<Exception>();
        var threads = Enumerable.Range(0, Threads).Select(n => new Thread(() =>
        {
            try
            {
                body(n);
            }
            catch (Exception failure)
            {
                lock (failures)
                    failures.Add(failure);
            }
        })).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.Empty(failures);
    }
}
