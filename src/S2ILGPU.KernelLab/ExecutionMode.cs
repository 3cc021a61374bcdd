namespace S2ILGPU.KernelLab;

/// <summary>How the threads of a group are executed.</summary>
public enum ExecutionMode
{
    /// <summary>Exactly one thread runs at a time, in the order of the schedule: the sanitizer. Deterministic.</summary>
    OneAtATime,

    /// <summary>All threads of a group run at once on operating-system threads: four to six times faster for kernels with barriers. Finds out-of-bounds accesses and divergent barriers only.</summary>
    Concurrent,
}
