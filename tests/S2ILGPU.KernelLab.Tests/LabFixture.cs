using ILGPU;
using ILGPU.Runtime.CPU;

namespace S2ILGPU.KernelLab.Tests;

/// <summary>A lab device per test class.</summary>
public abstract class LabFixture : IDisposable
{
    private readonly Context _context = Context.Create(builder => builder.CPU());

    protected LabFixture() => Device = _context.CreateCPUAccelerator(0);

    protected CPUAccelerator Device { get; }

    /// <summary>The thread orders that every fault is tried under.</summary>
    public static TheoryData<Schedule> Orders => [Schedule.Ascending, Schedule.Descending, Schedule.Random(42)];

    /// <summary>Another accelerator of the same context.</summary>
    protected CPUAccelerator CreateDevice() => _context.CreateCPUAccelerator(0);

    public void Dispose()
    {
        Device.Dispose();
        _context.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static float[] Floats(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    /// <summary>What a launch is told: findings and, first, the fault that it threw.</summary>
    protected static List<string> Messages(LabSession session, Action launch)
    {
        List<string> messages = [];
        try
        {
            launch();
        }
        catch (KernelFaultException e)
        {
            messages.Add(e.Message);
        }
        messages.AddRange(session.Findings.Select(f => f.Message));
        return messages;
    }
}
