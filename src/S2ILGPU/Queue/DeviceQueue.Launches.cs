using System.Numerics;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Tensors;
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
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Launch<TArguments>(Action<TArguments> kernel, Index3D groups, int threads, in TArguments arguments)
        where TArguments : struct
    {
        if (IsEmpty(kernel.Method, groups))
            return;
        var config = new KernelConfig(groups, new Index3D(threads, 1, 1));
        Launches++;
        try
        {
            _kernels.Portable(kernel)(Stream, config, arguments);
        }
        catch (Exception exception) when (LostDevice.IsLost(Stream))
        {
            throw LostDevice.Because(exception, Stream);
        }
    }

    /// <summary>Queues a kernel that uses the library's own device primitives: tensor cores on CUDA devices, their C#
    /// bodies on emulated ones.</summary>
    /// <param name="kernel">A static method with one argument, explicitly grouped; loaded once.</param>
    /// <param name="groups">Groups of threads.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a group, a multiple of 16.</param>
    /// <param name="arguments">What the kernel gets.</param>
    /// <exception cref="ArgumentException">The grid is larger than devices take.</exception>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Launch<TArguments>(MethodInfo kernel, Index3D groups, int threads, int sharedBytes,
        in TArguments arguments) where TArguments : struct
    {
        if (IsEmpty(kernel, groups))
            return;
        var group = new Index3D(threads, 1, 1);
        var config = sharedBytes == 0 ? new KernelConfig(groups, group)
            : new KernelConfig(groups, group, SharedMemoryConfig.RequestDynamic<U4>(sharedBytes / 16));
        Launches++;
        try
        {
            _kernels.WithPrimitives<TArguments>(kernel, threads, sharedBytes)(Stream, config, arguments);
        }
        catch (Exception exception) when (LostDevice.IsLost(Stream))
        {
            throw LostDevice.Because(exception, Stream);
        }
    }

    /// <summary>Queues a kernel whose thread t of T owns the elements t, t + T, t + 2T, ...; no work when there are no
    /// elements.</summary>
    public void LaunchOver<TArguments>(long count, Action<TArguments> kernel, in TArguments arguments)
        where TArguments : struct
    {
        var (groups, threads) = ElementGroups(count);
        Launch(kernel, new Index3D(groups, 1, 1), threads, arguments);
    }

    /// <summary>Queues an operation over the elements of rows: a group per row, and more where rows are few and
    /// long.</summary>
    /// <param name="activations">How memory keeps the operation's activations.</param>
    /// <param name="operation">What the kernel gets.</param>
    /// <exception cref="ArgumentException">Activations are not of that type.</exception>
    public void LaunchRows<TOperation>(ElementType activations, in TOperation operation)
        where TOperation : struct, IRowOperation
    {
        var kernel = StoredKernel<TOperation>(activations, ElementwiseKernel.Rows<TOperation, StoredSingle>,
            ElementwiseKernel.Rows<TOperation, StoredBFloat16>, ElementwiseKernel.Rows<TOperation, StoredHalf>);
        if (operation.Rows == 0 || operation.Columns == 0)
            return;
        int threads = RowThreads(operation.Columns);
        long quads = (operation.Columns + Quad.Count - 1) / Quad.Count, across = (quads + threads - 1) / threads;
        int enough = IsEmulated ? 2 : 16 * Multiprocessors, down = IsEmulated ? Math.Min(2, operation.Rows)
            : operation.Rows;
        Launch(kernel, new Index3D(down, (int)Math.Min(across, Math.Max(1, enough / down)), 1), threads, operation);
    }

    /// <summary>The kernel for a type of activations.</summary>
    /// <exception cref="ArgumentException">Activations are not of that type.</exception>
    public static Action<TArguments> StoredKernel<TArguments>(ElementType activations, Action<TArguments> single,
        Action<TArguments> bFloat16, Action<TArguments> half) => activations switch
    {
        ElementType.Float32 => single,
        ElementType.BFloat16 => bFloat16,
        ElementType.Float16 => half,
        _ => throw new ArgumentException($"activations are Float32, BFloat16 or Float16, not {activations}"),
    };

    /// <summary>Threads of a group that owns neighbouring elements.</summary>
    // Emulated devices pay for threads, so they get few, though more than one group.
    public int ElementThreads => IsEmulated ? 16 : Math.Min(256, _accelerator.MaxNumThreadsPerGroup);

    /// <summary>
    /// Groups and threads for <paramref name="count"/> independent elements: enough to fill the device, then threads
    /// take several elements. Depends on the count alone on a given device.
    /// </summary>
    public (int Groups, int Threads) ElementGroups(long count)
    {
        long most = IsEmulated ? 3 : 16L * Multiprocessors;
        return ((int)Math.Min(most, (count + ElementThreads - 1) / ElementThreads), ElementThreads);
    }

    /// <summary>Threads of a group that owns a row: enough for every quad, 32 to 256, a power of two. Depends on the
    /// number of columns alone on a given device.</summary>
    public int RowThreads(long columns)
    {
        if (ForcedRowThreads is { } forced)
            return forced;
        int most = Math.Min(GroupSum.MaxThreads, _accelerator.MaxNumThreadsPerGroup);
        long quads = Math.Min(most, (columns + Quad.Count - 1) / Quad.Count);
        return IsEmulated ? EmulatedThreads : Math.Clamp((int)BitOperations.RoundUpToPowerOf2((uint)quads), 32, most);
    }

    private static bool IsEmpty(MethodInfo kernel, Index3D groups)
    {
        if (groups.Y > MaxGroupsAcross || groups.Z > MaxGroupsAcross)
            throw new ArgumentException(
                $"{kernel.DeclaringType!.Name}: a grid of {groups.X} x {groups.Y} x {groups.Z} groups; devices take at "
                + $"most {MaxGroupsAcross} along the second and third dimension");
        return groups.X <= 0 || groups.Y <= 0 || groups.Z <= 0;
    }

    /// <summary>What the kernels that were loaded so far take of a CUDA device; empty on other devices.</summary>
    public IReadOnlyList<KernelResources> LoadedKernels() => _kernels.Resources();
}
