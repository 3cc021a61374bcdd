using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>What must be found, and what must not.</summary>
public sealed class EdgeTests
{
    private readonly int[] _d = new int[128];

    [Fact]
    public void Correct_kernels_have_no_finding()
    {
        Assert.Equal(8, Clean(EdgeKernels.WarpSynchronised)[6]);
        Assert.Equal(384, Clean(EdgeKernels.GroupsAdd, groups: 3)[0]);
        Assert.Equal(0x08070605, Clean(EdgeKernels.BytesOfWords)[1]);
        Assert.Equal(0x00020100, Clean(EdgeKernels.BytesOfGroups, groups: 3)[0]);
        Assert.Equal(3, Clean(EdgeKernels.HelperCalledTwice)[9]);
        int[] half = Clean(EdgeKernels.HalfWarp, threads: 48);
        Assert.Equal((116, 31 + 116, 47 + 116), (half[0], half[31], half[47]));
        int[] segments = Clean(EdgeKernels.Segments, threads: 32);
        Assert.Equal((7 + 3000 + 6000000, 10 + 13000 + 10000000), (segments[7], segments[9]));
        Clean(EdgeKernels.DynamicElementPerThread, sharedBytes: 512);
    }

    [Fact]
    public void Races_within_a_group_are_found()
    {
        Finds(PtxFaultKind.Race, EdgeKernels.WarpUnsynchronised);
        Finds(PtxFaultKind.Race, EdgeKernels.ShuffleTakenForAFence);
        Finds(PtxFaultKind.Race, EdgeKernels.FenceTakenForABarrier);
        Finds(PtxFaultKind.Race, EdgeKernels.AtomicAndPlain);
        Finds(PtxFaultKind.Race, EdgeKernels.ReferenceOutlivesBarrier);
        Finds(PtxFaultKind.Race, EdgeKernels.EverybodyWritesOne);
    }

    [Fact]
    public void Barrier_of_a_warp_orders_no_other_warp()
    {
        var kernel = FaultyKernel.Of<EdgeArguments>(EdgeKernels.WarpBarrierAcrossWarps);
        foreach (int seed in Enumerable.Range(0, 8))
            Assert.Contains(kernel.Fault(1, Edge, seed)!.Kind,
                new[] { PtxFaultKind.Race, PtxFaultKind.Uninitialised });
    }

    [Fact]
    public void Races_between_groups_are_found()
    {
        Finds(PtxFaultKind.RaceBetweenGroups, EdgeKernels.GroupsCollide, groups: 3);
        Finds(PtxFaultKind.RaceBetweenGroups, EdgeKernels.GroupsRead, groups: 3);
        Finds(PtxFaultKind.RaceBetweenGroups, EdgeKernels.CounterReadPlainly, groups: 3);
    }

    [Fact]
    public void Launches_are_ordered()
    {
        using var machine = new PtxMachine(FaultyKernel.Of<EdgeArguments>(EdgeKernels.GroupsCollide).Text);
        var arguments = new KernelArguments(machine, typeof(EdgeArguments));
        Edge(arguments);
        machine.Launch(1, 128, arguments.ToBytes());
        machine.Launch(1, 128, arguments.ToBytes());
        Assert.Throws<PtxFaultException>(() => machine.Launch(2, 128, arguments.ToBytes()));
    }

    [Fact]
    public void Divergent_barriers_are_found()
    {
        Finds(PtxFaultKind.DivergentWarp, EdgeKernels.HalfOfAWarpMeets);
        Finds(PtxFaultKind.DivergentBarrier, EdgeKernels.EarlyReturn, threads: 256);
    }

    [Fact]
    public void Accesses_out_of_bounds_are_found()
    {
        var dynamic = Finds(PtxFaultKind.OutOfBounds, EdgeKernels.DynamicElementPerThread, sharedBytes: 400);
        Assert.Contains("byte 400 of shared memory, which has 400 bytes", dynamic.Message);
        Finds(PtxFaultKind.OutOfBounds, EdgeKernels.DynamicElementPerThread);
        Finds(PtxFaultKind.OutOfBounds, EdgeKernels.LocalTooFar);
        Finds(PtxFaultKind.OutOfBounds, EdgeKernels.WritesPastTheEnd);
        Finds(PtxFaultKind.Misaligned, EdgeKernels.Misaligned, threads: 32);
        var launch = FaultyKernel.Of<EdgeArguments>(EdgeKernels.TooMuchShared).Fault(1, Edge, seed: 0)!;
        Assert.Contains("65536 bytes of static shared memory", launch.Message);
    }

    [Fact]
    public void Uninitialised_shared_memory_is_found() =>
        Finds(PtxFaultKind.Uninitialised, EdgeKernels.AddToUninitialised);

    [Fact]
    public void Global_memory_is_uninitialised_until_written()
    {
        var kernel = FaultyKernel.Of<SumArguments>(EdgeKernels.WarpSum);
        float[] x = new float[512], sum = new float[1];
        kernel.IsClean(4, a => Set(a, PtxAccess.InputOutput));
        kernel.IsClean(4, a => Set(a, PtxAccess.Input));
        var fault = kernel.Finds(PtxFaultKind.Uninitialised, "fault", 4, a => Set(a, PtxAccess.Output));
        Assert.Contains("of X is read, but was never written", fault.Message);

        void Set(KernelArguments a, PtxAccess access) => a.View("X", x, access)
            .View("Sums", sum, PtxAccess.InputOutput).Value("Count", 512).Value("Fault", Planted.Nothing);
    }

    [Fact]
    public void Kernel_that_never_ends_is_found()
    {
        var fault = FaultyKernel.Of<EdgeArguments>(EdgeKernels.NeverEnds, threads: 32).Fault(1, Edge, seed: 0)!;
        Assert.Equal(PtxFaultKind.Endless, fault.Kind);
        Assert.Contains("fault", FaultyKernel.MarksOf(fault.Line));
    }

    private void Edge(KernelArguments arguments) => arguments.View("D", _d, PtxAccess.InputOutput);

    private int[] Clean(Action<EdgeArguments> kernel, int groups = 1, int threads = 128, int sharedBytes = 0)
    {
        FaultyKernel.Of(kernel, threads).IsClean(groups, a =>
        {
            Array.Clear(_d);
            Edge(a);
        }, sharedBytes);
        return _d;
    }

    private PtxFaultException Finds(PtxFaultKind kind, Action<EdgeArguments> kernel, int groups = 1, int threads = 128,
        int sharedBytes = 0)
    {
        Array.Clear(_d);
        return FaultyKernel.Of(kernel, threads).Finds(kind, "fault", groups, Edge, sharedBytes);
    }
}
