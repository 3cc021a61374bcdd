using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Ptx.Faults;

/// <summary>Asynchronous copies in C# kernels: missing waits, and several copies to one place.</summary>
public sealed class CopyTests
{
    private readonly U4[] _source = [.. Enumerable.Range(0, 64).Select(n => 4 * (uint)n + 1)
        .Select(n => new U4 { X = n, Y = n + 1, Z = n + 2, W = n + 3 })];

    private readonly int[] _target = new int[64];

    [Fact]
    public void Copies_arrive_when_they_are_waited_for()
    {
        Assert.Equal(Enumerable.Range(0, 32).Select(t => 8 * t + 130), Clean(CopyKernels.Pipeline).Take(32));
        Assert.Equal(0, Clean(CopyKernels.NothingIsReadForZeros)[31]);
    }

    [Fact]
    public void Equal_copies_do_not_race()
    {
        foreach (int threads in (int[])[32, 64])
            Assert.Equal(Enumerable.Range(0, threads).Select(t => t % 8 + 9),
                Clean(CopyKernels.EqualCopies, threads).Take(threads));
        Assert.Equal(Enumerable.Range(0, 32).Select(t => t % 8 == 0 ? 1 : 0), Clean(CopyKernels.EqualZeros).Take(32));
        Clean(CopyKernels.EqualCopiesAtOnce, threads: 64);
    }

    [Fact]
    public void Missing_waits_are_found()
    {
        var fault = Finds(PtxFaultKind.MissingWait, CopyKernels.WaitsForTooLittle);
        Assert.Contains("other", FaultyKernel.MarksOf(fault.OtherLine));
        Finds(PtxFaultKind.MissingWait, CopyKernels.CopiesOfTwoSources);
        Finds(PtxFaultKind.MissingWait, CopyKernels.CopiesOfTwoLengths);
        Finds(PtxFaultKind.MissingWait, CopyKernels.CopiesInTwoIntervals, threads: 64);
    }

    [Fact]
    public void Copies_that_are_never_waited_for_are_found()
    {
        var fault = FaultyKernel.Of<CopyArguments>(CopyKernels.IsNeverWaitedFor, 32, isPortable: false)
            .Fault(1, a => Set(a, _source, PtxAccess.Input), seed: 0)!;
        Assert.Equal(PtxFaultKind.UnwaitedCopy, fault.Kind);
        Assert.Contains("other", FaultyKernel.MarksOf(fault.OtherLine));
    }

    [Fact]
    public void Other_accesses_to_the_target_race()
    {
        // which of two accesses comes first decides what is missing, a wait or a barrier
        foreach (var kernel in (Action<CopyArguments>[])[CopyKernels.CopiesAndAWrite, CopyKernels.CopiesAndARead,
            CopyKernels.OneDoesNotWait])
            foreach (int threads in (int[])[48, 64])
                for (int seed = 0; seed < 4; seed++)
                {
                    var fault = FaultyKernel.Of(kernel, threads, isPortable: false)
                        .Fault(1, a => Set(a, _source, PtxAccess.Input), seed)!;
                    Assert.Contains(fault.Kind, new[] { PtxFaultKind.Race, PtxFaultKind.MissingWait });
                    Assert.Contains("fault", FaultyKernel.MarksOf(fault.Line));
                }
    }

    [Fact]
    public void Bounds_and_alignment_are_checked()
    {
        Finds(PtxFaultKind.OutOfBounds, CopyKernels.TooFar);
        Finds(PtxFaultKind.Misaligned, CopyKernels.Misaligned);
    }

    [Fact]
    public void Unwritten_bytes_may_be_copied_but_not_used()
    {
        var kernel = FaultyKernel.Of<CopyArguments>(CopyKernels.AllIsUsed, 32, isPortable: false);
        kernel.IsClean(1, a => Set(a, _source, PtxAccess.InputOutput));
        var fault = kernel.Finds(PtxFaultKind.Uninitialised, "fault", 1, a => Set(a, new U4[64], PtxAccess.Output));
        Assert.Contains("copied from unwritten global memory", fault.Message);
        Assert.Contains("other", FaultyKernel.MarksOf(fault.OtherLine));
        FaultyKernel.Of<CopyArguments>(CopyKernels.NothingButCopies, 32, isPortable: false)
            .IsClean(1, a => Set(a, new U4[64], PtxAccess.Output));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Correct_pipeline_has_no_finding(int stages) =>
        Pipeline.IsClean(2, SetPipeline(stages, Missing.Nothing));

    [Theory]
    [InlineData(1, Missing.FirstWait, PtxFaultKind.MissingWait)]
    [InlineData(1, Missing.SecondWait, PtxFaultKind.MissingWait)]
    [InlineData(2, Missing.FirstWait, PtxFaultKind.MissingWait)]
    [InlineData(1, Missing.FirstBarrier, null)]
    [InlineData(1, Missing.SecondBarrier, null)]
    [InlineData(2, Missing.FirstBarrier, null)]
    public void Missing_piece_of_a_pipeline_is_found(int stages, Missing missing, PtxFaultKind? kind)
    {
        for (int seed = 0; seed < 8; seed++)
        {
            var fault = Pipeline.Fault(2, SetPipeline(stages, missing), seed)!;
            Assert.True(kind is null || fault.Kind == kind, fault.Message);
            Assert.Contains(FaultyKernel.MarksOf(fault.Line).Single(), new[] { "copy", "read" });
        }
    }

    [Fact]
    public void Missing_last_wait_of_a_pipeline_is_found() =>
        Assert.Equal(PtxFaultKind.UnwaitedCopy, Pipeline.Fault(2, SetPipeline(1, Missing.LastWait), seed: 0)!.Kind);

    private static FaultyKernel Pipeline { get; } =
        FaultyKernel.Of<PipelineArguments>(PipelineKernel.Run, PipelineKernel.Threads, isPortable: false);

    private static Action<KernelArguments> SetPipeline(int stages, Missing missing) => a =>
        a.View("Source", new U4[2 * PipelineKernel.Blocks * PipelineKernel.Threads])
        .View("Target", new int[2 * PipelineKernel.Threads], PtxAccess.Output).Value("Stages", stages)
        .Value("Missing", missing);

    private void Set(KernelArguments arguments, U4[] source, PtxAccess access) =>
        arguments.View("Source", source, access).View("Target", _target, PtxAccess.Output);

    private int[] Clean(Action<CopyArguments> kernel, int threads = 32)
    {
        FaultyKernel.Of(kernel, threads, isPortable: false).IsClean(1, a => Set(a, _source, PtxAccess.Input));
        return _target;
    }

    private PtxFaultException Finds(PtxFaultKind kind, Action<CopyArguments> kernel, int threads = 32) =>
        FaultyKernel.Of(kernel, threads, isPortable: false)
        .Finds(kind, "fault", 1, a => Set(a, _source, PtxAccess.Input));
}
