#if KERNEL_LAB
using System.Runtime.CompilerServices;
using S2ILGPU.KernelLab;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests;

/// <summary>
/// In KernelLab builds every call that an engine test checks runs once with the threads in ascending order and once in a random order, and the bits are compared. Findings of the sanitizer
/// fail the launch.
/// </summary>
internal static class ThreadOrders
{
    [ModuleInitializer]
    internal static void Alternate() =>
        BackendTest.RunStarts = run => Lab.Default.Schedule = run == 0 ? Schedule.Ascending : Schedule.Random(Seeds.Current);
}
#endif
