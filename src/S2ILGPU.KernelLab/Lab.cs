using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>The laboratory's controls that are not those of a <see cref="LabSession"/>.</summary>
public static class Lab
{
    /// <summary>
    /// What applies where no session is open: the sanitizer, throwing on findings. The environment variable <c>KERNEL_LAB=concurrent</c> makes it the fast mode.
    /// </summary>
    public static LabSession Default { get; } =
        new(Environment.GetEnvironmentVariable("KERNEL_LAB") == "concurrent" ? ExecutionMode.Concurrent : ExecutionMode.OneAtATime);

    /// <summary>The memory of each lab device in bytes, what <see cref="Device.MemorySize"/> says; allocations beyond it throw <see cref="DeviceMemoryException"/>.</summary>
    public static long DeviceMemoryBytes { get; set; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>How often the baton went from one thread to another since the process started.</summary>
    public static long Switches { get; internal set; }

    /// <summary>The number of buffers of an accelerator that were allocated and not disposed.</summary>
    /// <param name="accelerator">The accelerator.</param>
    /// <returns>The count.</returns>
    public static int LiveBuffers(Accelerator accelerator)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        return Heap.LiveOf(accelerator).Length;
    }

    /// <summary>The bytes in those buffers.</summary>
    /// <param name="accelerator">The accelerator.</param>
    /// <returns>The sum.</returns>
    public static long LiveBytes(Accelerator accelerator)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        return Heap.LiveOf(accelerator).Sum(memory => memory.Bytes);
    }

    /// <summary>
    /// Runs the same launch under several schedules and compares, bit by bit, shared memory at every barrier and all buffers of the accelerator at the end. The first difference is a
    /// finding: a race if the order differed, uninitialised memory if the poison differed. Needs no tracking. Buffers are reset to what they held before each run and hold the last
    /// schedule's results afterwards.
    /// </summary>
    /// <param name="accelerator">Whose buffers are compared.</param>
    /// <param name="launch">The launch; it must depend on the buffers alone.</param>
    /// <param name="schedules">At least two; the first is the one that the others are compared with.</param>
    /// <remarks>Sums of floats by atomics differ between orders without being wrong.</remarks>
    public static void CompareSchedules(Accelerator accelerator, Action launch, params ReadOnlySpan<Schedule> schedules)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        ArgumentNullException.ThrowIfNull(launch);
        new ScheduleComparison(accelerator, launch, LabSession.Current).Run(schedules);
    }
}
