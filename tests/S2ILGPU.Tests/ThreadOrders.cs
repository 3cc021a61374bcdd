#if KERNEL_LAB
using System.Runtime.CompilerServices;
using S2ILGPU.KernelLab;
using S2ILGPU.TestSupport;
#endif

namespace S2ILGPU.Tests;

/// <summary>
/// In KernelLab builds kernels run once with the threads in ascending order and once in a random order, and findings of the sanitizer fail the launch: the calls that engine
/// tests check, whose bits are compared as well, and what other tests do <see cref="InEach"/>. What neither covers runs in the random order.
/// </summary>
internal static class ThreadOrders
{
#if KERNEL_LAB
    private static readonly Schedule[] s_orders = [Schedule.Ascending, Schedule.Random(Seeds.Current)];

    [ModuleInitializer]
    internal static void Alternate()
    {
        Lab.Default.Schedule = s_orders[1];
        BackendTest.RunStarts = run => SessionOfTest().Schedule = s_orders[run];
    }

    /// <summary>Runs a test in each order of threads.</summary>
    public static void InEach(Action test)
    {
        foreach (var order in s_orders)
        {
            using var session = NewSession(order);
            try
            {
                test();
            }
            catch (KernelFaultException fault)
            {
                throw new InvalidOperationException($"threads in order {order.Order}: {fault.Message}; {Seeds.Text}", fault);
            }
        }
    }

    // Tests of other classes run at the same time: each flow of control has a session of its own.
    private static LabSession SessionOfTest() => LabSession.Current == Lab.Default ? NewSession(s_orders[0]) : LabSession.Current;

    private static LabSession NewSession(Schedule order) => new(order) { ThrowOnFindings = true, Mode = Lab.Default.Mode };
#else
    /// <summary>Runs a test once: ILGPU's CPU accelerator runs the threads of a group at the same time.</summary>
    public static void InEach(Action test) => test();
#endif
}
