using S2ILGPU.Cli.Devices;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Training;

/// <summary>How the ranks of a run are arranged: neighbours share layers, groups of them sequences, groups of those
/// micro-batches.</summary>
/// <param name="Ranks">All ranks.</param>
/// <param name="Tensor">Ranks that share the layers.</param>
/// <param name="Context">Ranks, or groups that share layers, that share a sequence.</param>
internal sealed record RankGrid(int Ranks, int Tensor, int Context)
{
    /// <summary>Groups of ranks that learn micro-batches of their own.</summary>
    public int Groups => Ranks / Together;

    /// <summary>Ranks of such a group.</summary>
    public int Together => Tensor * Context;

    /// <summary>Threads to start as ranks, where no launcher has started processes.</summary>
    /// <exception cref="ArgumentException">The options ask for ranks that are not there.</exception>
    public static int Threads(TrainingRequest request)
    {
        int devices = request.Devices.Count, threads = request.Ranks ?? devices,
            wanted = (request.DataParallel ?? 1) * (request.ContextParallel ?? 1) * (request.TensorParallel ?? 1);
        if (threads % devices != 0)
            throw new ArgumentException($"--ranks {threads} is not a multiple of the {devices} devices");
        if (threads == 1 && wanted > 1)
            throw new ArgumentException(
                $"{wanted} ranks are needed: start with mpirun -n {wanted}, or add --ranks {wanted}");
        return threads;
    }

    /// <summary>The grid of a number of ranks.</summary>
    /// <exception cref="ArgumentException">The options do not fit the ranks.</exception>
    public static RankGrid Of(TrainingRequest request, int ranks)
    {
        int tensor = request.TensorParallel ?? 1, context = request.ContextParallel ?? 1, together = tensor * context;
        string grid = tensor > 1 ? $"--context-parallel {context} and --tensor-parallel {tensor}"
            : $"--context-parallel {context}";
        if (ranks % tensor != 0)
            throw new ArgumentException($"--tensor-parallel {tensor} does not divide the {ranks} ranks");
        if (ranks % together != 0)
            throw new ArgumentException($"{grid} {(tensor > 1 ? "do" : "does")} not divide the {ranks} ranks");
        return request.DataParallel is { } data && data * together != ranks
            ? throw new ArgumentException(
                $"--data-parallel {data} with {grid} needs {data * together} ranks, there are {ranks}")
            : new RankGrid(ranks, tensor, context);
    }

    /// <summary>The engine of a rank: devices in turn, and the processors shared by the threads of this
    /// process.</summary>
    public IEngine CreateEngine(TrainingRequest request, int rank)
    {
        string device = Ranks == 1 ? request.Devices[0]
            : DeviceOf(MpiRanks.LocalRank ?? rank, request.Devices, Engine.Devices);
        var engine = DeviceChoice.CreateEngine(device, request.AllowTf32);
        if (Ranks == 1 || MpiRanks.IsLaunched || engine is not CpuEngine)
            return engine;
        engine.Dispose();
        return new CpuEngine(new CpuOptions { Threads = Math.Max(1, Environment.ProcessorCount / Ranks) });
    }

    /// <summary>The device of a rank: one of those that were named, or of the CUDA devices where none was.</summary>
    /// <param name="localRank">Number of the rank on its machine.</param>
    /// <param name="named">What the user has named.</param>
    /// <param name="found">The devices of the machine.</param>
    internal static string DeviceOf(int localRank, IReadOnlyList<string> named, Func<IReadOnlyList<DeviceInfo>> found)
    {
        string[] cuda = named is [var name] && string.Equals(name, Engine.Auto, StringComparison.OrdinalIgnoreCase)
            ? [.. found().Where(device => device.Kind == DeviceKind.Cuda).Select(device => device.Id)] : [];
        return cuda.Length > 0 ? cuda[localRank % cuda.Length] : named[localRank % named.Count];
    }
}
