using System.Numerics;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Kernels;
using S2ILGPU.Tiles;

namespace S2ILGPU.Queue;

internal sealed partial class DeviceQueue
{
    // What CUDA and OpenCL devices take along the second and third dimension of a grid.
    private const int MaxGroupsAcross = ushort.MaxValue;

    // Emulated devices pay for every thread and barrier.
    private const int EmulatedThreads = 4;

    /// <summary>Threads of the group that owns a row, where tests want another number than the device would choose: at
    /// most 256; null otherwise.</summary>
    public int? ForcedRowThreads { get; set; }

    /// <summary>Queues a kernel in plain ILGPU, which every device runs. No work when a dimension of the grid is
    /// 0.</summary>
    /// <param name="kernel">A static method with one argument, explicitly grouped; loaded once.</param>
    /// <param name="groups">Groups of threads.</param>
    /// <param name="threads">Threads of a group, at most as many as the device has; 128 every device has.</param>
    /// <param name="arguments">What the kernel gets.</param>
    /// <exception cref="ArgumentException">The grid is larger than devices take.</exception>
    public void Launch<TArguments>(Action<TArguments> kernel, Index3D groups, int threads, in TArguments arguments)
        where TArguments : struct
    {
        if (IsEmpty(kernel.Method, groups))
            return;
        var config = new KernelConfig(groups, new Index3D(threads, 1, 1));
        _kernels.Portable(kernel)(Stream, config, arguments);
    }

    /// <summary>Queues a kernel that uses the library's own device primitives: tensor cores on CUDA devices, their C#
    /// bodies on emulated ones.</summary>
    /// <param name="kernel">A static method with one argument, explicitly grouped; loaded once.</param>
    /// <param name="groups">Groups of threads along the first two dimensions.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a group, a multiple of 16.</param>
    /// <param name="arguments">What the kernel gets.</param>
    /// <exception cref="ArgumentException">The grid is larger than devices take.</exception>
    public void Launch<TArguments>(MethodInfo kernel, Index2D groups, int threads, int sharedBytes,
        in TArguments arguments) where TArguments : struct
    {
        var (grid, group) = (new Index3D(groups.X, groups.Y, 1), new Index3D(threads, 1, 1));
        if (IsEmpty(kernel, grid))
            return;
        var config = sharedBytes == 0 ? new KernelConfig(grid, group)
            : new KernelConfig(grid, group, SharedMemoryConfig.RequestDynamic<U4>(sharedBytes / 16));
        _kernels.WithPrimitives<TArguments>(kernel, threads, sharedBytes)(Stream, config, arguments);
    }

    /// <summary>Queues a kernel whose thread t of T owns the elements t, t + T, t + 2T, ...; no work when there are no
    /// elements.</summary>
    public void LaunchOver<TArguments>(long count, Action<TArguments> kernel, in TArguments arguments)
        where TArguments : struct
    {
        var (groups, threads) = ElementGroups(count);
        Launch(kernel, new Index3D(groups, 1, 1), threads, arguments);
    }

    /// <summary>Queues an elementwise operation.</summary>
    public void LaunchElements<TOperation>(in TOperation operation) where TOperation : struct, IElementwiseOperation =>
        LaunchOver(operation.Count, ElementwiseKernel.Elements, operation);

    /// <summary>Queues an operation over the elements of rows: a group per row, and more where rows are few and
    /// long.</summary>
    public void LaunchRows<TOperation>(in TOperation operation) where TOperation : struct, IRowOperation
    {
        if (operation.Rows == 0 || operation.Columns == 0)
            return;
        int threads = IsEmulated ? EmulatedThreads : RowThreads(operation.Columns);
        int across = (operation.Columns + threads - 1) / threads, enough = IsEmulated ? 2 : 16 * Multiprocessors;
        int down = IsEmulated ? Math.Min(2, operation.Rows) : operation.Rows;
        Launch(ElementwiseKernel.Rows, new Index3D(down, Math.Min(across, Math.Max(1, enough / down)), 1), threads,
            operation);
    }

    /// <summary>
    /// Groups and threads for <paramref name="count"/> independent elements: enough to fill the device, then threads
    /// take several elements. Depends on the count alone on a given device.
    /// </summary>
    public (int Groups, int Threads) ElementGroups(long count)
    {
        // Emulated devices pay for threads, so they get few, though more than one group.
        int threads = IsEmulated ? 16 : Math.Min(256, _accelerator.MaxNumThreadsPerGroup);
        long most = IsEmulated ? 3 : 16L * Multiprocessors;
        return ((int)Math.Min(most, (count + threads - 1) / threads), threads);
    }

    /// <summary>Threads of a group that owns a row: enough for every column, 32 to 256, a power of two. Depends on the
    /// number of columns alone on a given device.</summary>
    public int RowThreads(int columns)
    {
        if (ForcedRowThreads is { } forced)
            return forced;
        int most = Math.Min(GroupSum.MaxThreads, _accelerator.MaxNumThreadsPerGroup);
        return IsEmulated ? EmulatedThreads : Math.Clamp((int)BitOperations.RoundUpToPowerOf2((uint)columns), 32, most);
    }

    private static bool IsEmpty(MethodInfo kernel, Index3D groups)
    {
        if (groups.Y > MaxGroupsAcross || groups.Z > MaxGroupsAcross)
            throw new ArgumentException(
                $"{kernel.DeclaringType!.Name}: a grid of {groups.X} x {groups.Y} x {groups.Z} groups; devices take at "
                + $"most {MaxGroupsAcross} along the second and third dimension");
        return groups.X <= 0 || groups.Y <= 0 || groups.Z <= 0;
    }
}
