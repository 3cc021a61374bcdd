namespace S2ILGPU.Compiler;

/// <summary>What a loaded kernel takes of a CUDA device, as its driver says.</summary>
/// <param name="Name">The kernel.</param>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="LocalBytes">Local memory of a thread: spilled registers, and arrays that are not in registers.</param>
/// <param name="SharedBytes">Shared memory of a group, static and dynamic.</param>
/// <param name="GroupThreads">Threads of a group for which the occupancy was asked.</param>
/// <param name="GroupsPerMultiprocessor">Groups that a multiprocessor holds at once.</param>
internal sealed record KernelResources(string Name, int Registers, int LocalBytes, int SharedBytes, int GroupThreads,
    int GroupsPerMultiprocessor);
