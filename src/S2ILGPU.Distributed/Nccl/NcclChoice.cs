using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>Whether the ranks of a run exchange tensors between their devices: only if all of them can.</summary>
/// <param name="Library">NCCL; null where tensors go through the host.</param>
/// <param name="Note">Why a run on CUDA devices goes through the host, in one line; null where there is nothing to
/// say.</param>
internal sealed record NcclChoice(NcclLibrary? Library, string? Note)
{
    private enum State
    {
        Ready,
        NoDevice,
        NoLibrary,
        Fails,
    }

    /// <summary>Chooses; every rank calls it, and gets the same answer.</summary>
    /// <param name="host">All ranks, with the engine of this one.</param>
    /// <param name="kind">The devices that NCCL works on.</param>
    /// <param name="load">Loads NCCL, or says in one line why not.</param>
    public static NcclChoice Make(HostCollective host, DeviceKind kind, Func<NcclLibrary> load)
    {
        const int Each = 3;
        var engine = host.Engine;
        if (host.Size == 1)
            return new NcclChoice(null, null);
        var (state, library, reason) = Try(engine, host.Transport, kind, load);
        string device = $"{Environment.MachineName} {engine.DeviceMemory?.Device}";
        var name = MemoryMarshal.Cast<byte, int>(SHA256.HashData(Encoding.UTF8.GetBytes(device)).AsSpan(0, 8));
        using Tensor own = engine.FromArray([(int)state, .. name]),
            all = engine.Allocate(new Shape(Each * host.Size), ElementType.Int32);
        host.AllGather(own, all).Wait();
        int[] values = engine.ToIntArray(all);
        State[] states = [.. Enumerable.Range(0, host.Size).Select(rank => (State)values[Each * rank])];
        if (states.All(each => each == State.NoDevice))
            return new NcclChoice(null, null);
        int first = Array.FindIndex(states, each => each != State.Ready);
        if (first >= 0)
            return Host(reason ?? $"rank {first} {Text(states[first])}");
        return Sharing(values, Each) is { } sharing ? Host(sharing) : new NcclChoice(library, null);
    }

    /// <summary>Says which ranks share a device.</summary>
    /// <param name="names">Numbers that name the device of each rank.</param>
    /// <param name="each">Numbers of a rank.</param>
    /// <returns>Null where each rank has a device of its own.</returns>
    internal static string? Sharing(ReadOnlySpan<int> names, int each)
    {
        for (int rank = 1; rank * each < names.Length; rank++)
            for (int before = 0; before < rank; before++)
                if (names.Slice(each * rank, each).SequenceEqual(names.Slice(each * before, each)))
                    return $"ranks {before} and {rank} have the same device, which NCCL does not support";
        return null;
    }

    private static (State State, NcclLibrary? Library, string? Reason) Try(IEngine engine, ITransport ranks,
        DeviceKind kind, Func<NcclLibrary> load)
    {
        if (engine.DeviceMemory?.Kind != kind)
            return (State.NoDevice, null, null);
        NcclLibrary library;
        try
        {
            library = load();
        }
        catch (NotSupportedException exception)
        {
            return (State.NoLibrary, null, exception.Message);
        }
        try
        {
            NcclTrial.Run(library, engine, ranks);
            return (State.Ready, library, null);
        }
        catch (Exception exception) when (exception is not RankFailedException)
        {
            return (State.Fails, null, exception.Message.ReplaceLineEndings(" "));
        }
    }

    private static NcclChoice Host(string reason) =>
        new(null, $"tensors go from rank to rank through the host: {reason}");

    private static string Text(State state) => state switch
    {
        State.NoDevice => "has no CUDA device",
        State.NoLibrary => "has no library of NCCL",
        _ => "cannot use NCCL",
    };
}
