using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.KernelLab.Tests.Kernels;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>The seam for device primitives.</summary>
public sealed class RawTests : LabFixture
{
    private const int Length = 3 * 128;

    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void Copies_land_group_by_group(ExecutionMode mode)
    {
        var target = Run(RawKernels.Pipeline, null, mode: mode);
        for (int i = 0; i < Length; i++)
            Assert.Equal(i < 256 || i % 4 < i / 4 % 4 ? i + 1 : 0, target[i]);
        Assert.Equal(32, Run(RawKernels.WaitsForAll, null, mode: mode)[31]);
        Assert.Equal(0, Run(RawKernels.NothingIsReadForZeros, null, mode: mode)[31]);
    }

    [Theory, MemberData(nameof(Orders))]
    public void Waiting_for_too_little_is_found(Schedule order) =>
        Run(RawKernels.WaitsForTooLittle, "missing wait: element ", order);

    [Theory, MemberData(nameof(Orders))]
    public void Equal_copies_do_not_race(Schedule order)
    {
        Assert.Equal(Enumerable.Range(0, 32).Select(t => t % 8 + 9), Run(RawKernels.EqualCopies, null, order).Take(32));
        Assert.Equal(Enumerable.Range(0, 64).Select(t => t % 8 + 9), Run(RawKernels.EqualCopies, null, order, threads: 64).Take(64));
        Assert.Equal(Enumerable.Range(0, 32).Select(t => t % 8 is 0 or 2 ? 1 : 0), Run(RawKernels.EqualZeros, null, order).Take(32));
        Run(RawKernels.EqualCopiesAtOnce, null, order, threads: 64);
    }

    [Theory, MemberData(nameof(Orders))]
    public void Other_accesses_to_the_target_do(Schedule order)
    {
        Run(RawKernels.CopiesOfTwoSources, "race: element 0 of shared Int32[8]", order);
        Run(RawKernels.CopiesOfTwoSources, "race: element 0 of shared Int32[8]", order, threads: 64);
        Run(RawKernels.CopiesOfTwoLengths, "race: element 1 of shared Int32[4]", order);
        Run(RawKernels.CopiesAndAWrite, "race: element 3 of shared Int32[4]", order);
        Run(RawKernels.CopiesAndARead, "race: element 3 of shared Int32[4]", order);
        Run(RawKernels.CopiesInTwoIntervals, "copied to again", order, threads: 64);
    }

    [Theory, MemberData(nameof(Orders))]
    public void The_last_of_equal_copies_must_be_waited_for(Schedule order)
    {
        Run(RawKernels.OneDoesNotWait, "has not been waited for", order, threads: 64);
        Run(RawKernels.OneDoesNotWait, "unwaited copy: thread 40", order, threads: 64);
    }

    [Fact]
    public void Bounds_and_alignment()
    {
        Run(RawKernels.TooFar, "out of bounds: index 1536 of Byte[1536] in Int32[384] numbers at RawKernels.cs:");
        Run(RawKernels.Misaligned, "misaligned: an access of 8 bytes at byte 4");
    }

    [Fact]
    public void Writes_race() => Run(RawKernels.RacyWrites, "race");

    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void Atomic_additions_do_not(ExecutionMode mode) => Assert.Equal(32f, BitConverter.Int32BitsToSingle(Run(RawKernels.Adds, null, mode: mode)[1]));

    [Theory, InlineData(ExecutionMode.OneAtATime), InlineData(ExecutionMode.Concurrent)]
    public void A_warp_exchanges_all_values_at_once(ExecutionMode mode)
    {
        Assert.Equal(32 * 33 / 2, Run(RawKernels.Gathers, null, mode: mode)[7]);
        Assert.Equal(20 * 21 / 2, Run(RawKernels.Gathers, null, mode: mode, threads: 20)[7]);
    }

    private int[] Run(Action<ArrayView<int>, ArrayView<int>> kernel, string? expected, Schedule? order = null, ExecutionMode mode = ExecutionMode.OneAtATime, int threads = 32)
    {
        int[] numbers = [.. Enumerable.Range(1, Length)];
        using var source = Device.Allocate1D(numbers);
        using var target = Device.Allocate1D(new int[Length]);
        var launcher = Device.LoadStreamKernel(kernel);
        using LabSession session = new(order) { Mode = mode };
        var messages = Messages(session, () => launcher((1, threads), source.View, target.View));
        if (expected is null)
            Assert.Empty(messages);
        else
            Assert.Contains(messages, message => message.Contains(expected));
        return target.GetAsArray1D();
    }
}
