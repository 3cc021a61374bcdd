#if KERNEL_LAB
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using Xunit;

namespace S2ILGPU.Tests;

/// <summary>Tests that run in each thread order do so, and fail when the sanitizer finds something.</summary>
public sealed class ThreadOrdersTests : IDisposable
{
    private const int Threads = 32;

    private readonly Context _context = Context.Create(builder => builder.EnableAlgorithms());
    private readonly Accelerator _accelerator;

    public ThreadOrdersTests() => _accelerator = new CPUDevice(32, 8, 1).CreateAccelerator(_context);

    [Fact]
    public void The_second_order_is_another_one()
    {
        List<int[]> runs = [];
        ThreadOrders.InEach(() => runs.Add(Run(Number)));
        Assert.Equal(Enumerable.Range(0, Threads), runs[0]);
        Assert.Equal(2, runs.Count);
        Assert.NotEqual(runs[0], runs[1]);
        Assert.Equal(runs[0], runs[1].Order());
    }

    [Fact]
    public void A_finding_fails_the_test() =>
        Assert.Contains("race", Assert.Throws<InvalidOperationException>(() => ThreadOrders.InEach(() => Run(ReadTheNeighbour))).Message);

    public void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
    }

    private int[] Run(Action<Arguments> kernel)
    {
        using var turns = _accelerator.Allocate1D<int>(Threads);
        using var counter = _accelerator.Allocate1D<int>(1);
        turns.MemSetToZero();
        counter.MemSetToZero();
        _accelerator.LoadKernel(kernel)(_accelerator.DefaultStream, new KernelConfig(new Index3D(1, 1, 1), new Index3D(Threads, 1, 1)),
            new Arguments { Turns = turns.View.BaseView, Counter = counter.View.BaseView });
        return turns.GetAsArray1D();
    }

    private static void Number(Arguments a) => a.Turns[Group.IdxX] = Atomic.Add(ref a.Counter[0], 1);

    private static void ReadTheNeighbour(Arguments a)
    {
        var shared = SharedMemory.Allocate<int>(Threads);
        shared[Group.IdxX] = Group.IdxX;
        a.Turns[Group.IdxX] = shared[Group.IdxX ^ 1];
    }

    private struct Arguments
    {
        public ArrayView<int> Turns, Counter;
    }
}
#endif
