using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>One launch at a time in the process; its state is here, because kernels reach it through static members.</summary>
internal static class Engine
{
    internal const int WarpSize = 32;
    internal const int MaxThreads = 1024;

    private static readonly Lock Gate = new();
    private static readonly BatonExecutor Baton = new();
    private static readonly ConcurrentExecutor Concurrent = new();
    private static Executor? _executor;
    private static bool _isConcurrent;
    private static Lane? _lane;

    [ThreadStatic]
    private static Lane? _laneOfThread;

    internal static SharedArena Shared { get; } = new();

    /// <summary>The running launch's session.</summary>
    internal static LabSession Session { get; private set; } = Lab.Default;

    /// <summary>Whether accesses are followed; false between launches.</summary>
    internal static bool Tracks { get; private set; }

    /// <summary>The launch hangs: threads stop at their next access.</summary>
    internal static bool Aborts { get; set; }

    /// <summary>A thread could not be stopped.</summary>
    internal static bool IsLost { get; set; }

    internal static Index3D GroupIndex { get; set; }

    internal static Index3D GridDim { get; private set; }

    internal static Index3D GroupDim { get; private set; }

    /// <summary>The thread that asks.</summary>
    internal static Lane Current
    {
        get => (_isConcurrent ? _laneOfThread : _lane) ?? throw OutsideKernel();
        set
        {
            if (_isConcurrent)
                _laneOfThread = value;
            else
                _lane = value;
        }
    }

    internal static Executor Executor => _executor ?? throw OutsideKernel();

    internal static string Describe(Index3D index) => $"({index.X}, {index.Y}, {index.Z})";

    internal static void Abort() => throw new Abandoned();

    /// <summary>Runs a kernel with explicit groups.</summary>
    internal static void Run(Accelerator accelerator, Delegate kernel, KernelConfig config, KernelSpecialization specialization, Action body)
    {
        Check(accelerator, kernel, config, specialization);
        var session = LabSession.Current;
        Run(new Launch(accelerator, NameOf(kernel), config, body, session, ScheduleComparison.CurrentTrace), session.Mode == ExecutionMode.Concurrent);
    }

    /// <summary>Runs a kernel that gets its index, in groups of the lab's choice. Such kernels rarely have barriers, so one worker runs them fastest, in every mode.</summary>
    internal static void RunAutoGrouped<TIndex>(Accelerator accelerator, Delegate kernel, TIndex extent, Action<TIndex> body)
        where TIndex : struct, IIndex
    {
        const int size = 128;
        int count = checked((int)extent.Size);
        if (count == 0)
            return;
        KernelConfig config = new((count + size - 1) / size, size);
        Check(accelerator, kernel, config, KernelSpecialization.Empty);
        Action run = () =>
        {
            int i = GroupIndex.X * size + Current.Id;
            if (i < count)
                body((TIndex)extent.FromLinear(i));
        };
        Run(new Launch(accelerator, NameOf(kernel), config, run, LabSession.Current, ScheduleComparison.CurrentTrace), concurrent: false);
    }

    private static void Run(Launch launch, bool concurrent)
    {
        lock (Gate)
        {
            if (IsLost)
                throw new KernelFaultException($"{launch.Name}: an earlier kernel of this process hangs");
            launch.Session.OfThisLaunch.Clear();
            try
            {
                Begin(launch, concurrent);
                _executor!.Run(launch);
            }
            finally
            {
                End(launch);
            }
            if (launch.Session.ThrowOnFindings && launch.Session.OfThisLaunch.Count > 0)
                throw new KernelFaultException($"{launch.Name}: {string.Join("; ", launch.Session.OfThisLaunch.Select(f => f.Message))}");
        }
    }

    private static void Begin(Launch launch, bool concurrent)
    {
        (GridDim, GroupDim) = (launch.Config.GridDim, launch.Config.GroupDim);
        Session = launch.Session;
        _isConcurrent = concurrent;
        _executor = concurrent ? Concurrent : Baton;
        Aborts = false;
        Tracks = launch.Session.Tracks && !concurrent;
    }

    private static void End(Launch launch)
    {
        if (!Tracks)
            Heap.AssumeInitialised(launch.Accelerator);
        Tracks = false;
        Aborts = IsLost;
        _lane = null;
        _executor = null;
        if (!IsLost)
            Heap.CheckGuards(launch.Session);
    }

    private static void Check(Accelerator accelerator, Delegate kernel, KernelConfig config, KernelSpecialization specialization)
    {
        ObjectDisposedException.ThrowIf(accelerator.IsDisposed, accelerator);
        if (Thread.CurrentThread.Name == Worker.ThreadName)
            throw new InvalidOperationException("a kernel cannot launch kernels");
        if (kernel.Target is not null && !kernel.Method.DeclaringType!.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false))
            throw new ArgumentException($"{NameOf(kernel)}: kernels are static methods");
        int threads = config.GroupDim.Size;
        int most = Math.Min(MaxThreads, specialization.MaxNumThreadsPerGroup ?? MaxThreads);
        if (config.GroupDim.X < 1 || config.GroupDim.Y < 1 || config.GroupDim.Z < 1 || threads > most)
            throw new KernelFaultException($"{NameOf(kernel)}: groups of {Describe(config.GroupDim)} threads, 1 to {most} are possible");
        if (config.GridDim.X < 1 || config.GridDim.Y is < 1 or > 65535 || config.GridDim.Z is < 1 or > 65535)
            throw new KernelFaultException($"{NameOf(kernel)}: a grid of {Describe(config.GridDim)} groups, at least 1 and in Y and Z at most 65535 are possible");
    }

    private static string NameOf(Delegate kernel)
    {
        string generic = kernel.Method.IsGenericMethod ? $"<{string.Join(", ", kernel.Method.GetGenericArguments().Select(t => t.Name))}>" : "";
        return $"{kernel.Method.DeclaringType?.Name}.{kernel.Method.Name}{generic}";
    }

    private static InvalidOperationException OutsideKernel() => new("only kernels may call this");
}
