using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Training;

/// <summary>Tests that measure the memory of the process run alone.</summary>
[CollectionDefinition(nameof(ProcessMemory), DisableParallelization = true)]
public sealed class ProcessMemory;

[Collection(nameof(ProcessMemory))]
public sealed class TrainingMemoryTests
{
    private const int FirstStep = 200, LastStep = 1000;

    // A leak of one small object a step would be more.
    private const long ManagedBytes = 64 << 10;

    // A leak of one activation [2 * 64, 32] every second step would be as much; tiered compilation takes less.
    private const long ProcessBytes = (LastStep - FirstStep) / 2 * 2 * 64 * 32 * sizeof(float);

    [Fact]
    public void A_thousand_steps_leave_the_memory_of_the_process_flat()
    {
        TestScale.SkipUnlessDrawn(8);
        using var run = new TinyTraining(TinyTraining.Options with { Steps = LastStep + 1, ValidationInterval = 0 });
        while (run.Trainer.CompletedSteps < FirstStep)
            run.Trainer.RunStep();
        var (tensors, managed, process) = Measure(run);
        while (run.Trainer.CompletedSteps < LastStep)
            run.Trainer.RunStep();
        var after = Measure(run);
        Assert.Equal(tensors, after.Tensors);
        Assert.True(after.Managed - managed < ManagedBytes,
            $"managed heap: {managed:#,0} bytes after {FirstStep} steps, {after.Managed:#,0} after {LastStep}");
        Assert.True(after.Process - process < ProcessBytes,
            $"working set: {process:#,0} bytes after {FirstStep} steps, {after.Process:#,0} after {LastStep}");
    }

    // Aggressive: what garbage filled goes back to the system, so that only what lives is measured.
    private static (long Tensors, long Managed, long Process) Measure(TinyTraining run)
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        return (run.Engine.UsedBytes, GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
    }
}
