using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>What one launch is to do.</summary>
/// <param name="Accelerator">Whose memory it may use.</param>
/// <param name="Name">The kernel's name in messages.</param>
/// <param name="Config">Grid, group and dynamic shared memory.</param>
/// <param name="Body">The kernel with its arguments.</param>
/// <param name="Session">The caller's settings.</param>
/// <param name="Trace">Where shared memory is recorded, if schedules are compared.</param>
internal sealed record Launch(Accelerator Accelerator, string Name, ILGPU.KernelConfig Config, Action Body, LabSession Session, ScheduleTrace? Trace);
