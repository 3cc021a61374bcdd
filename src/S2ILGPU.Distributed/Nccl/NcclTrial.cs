using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>Whether NCCL works with the context, the memory and the stream of an engine: a group of this rank alone
/// sends to itself. Ranks wait for each other only after each has tried.</summary>
internal static class NcclTrial
{
    private const int Elements = 1000;

    /// <summary>Tries.</summary>
    /// <param name="library">NCCL.</param>
    /// <param name="engine">The engine; its memory has addresses.</param>
    /// <param name="ranks">This rank on the host.</param>
    /// <exception cref="NcclException">A call failed.</exception>
    /// <exception cref="NotSupportedException">The elements did not arrive.</exception>
    public static void Run(NcclLibrary library, IEngine engine, ITransport ranks)
    {
        var memory = engine.DeviceMemory!;
        int[] values = [.. Enumerable.Range(1, Elements)];
        using Tensor sent = engine.FromArray(values), received = engine.FromArray(new int[Elements]),
            gathered = engine.FromArray(new int[Elements]);
        using var alone = new NcclCommunicator(library, memory, ranks, library.NewId(), isAlone: true);
        alone.Queue((nccl, group, stream) =>
        {
            nccl.Send(group, stream, memory.AddressOf(sent), Elements, ElementType.Int32, 0);
            nccl.Receive(group, stream, memory.AddressOf(received), Elements, ElementType.Int32, 0);
        });
        alone.Queue((nccl, group, stream) => nccl.AllGather(group, stream, memory.AddressOf(received),
            memory.AddressOf(gathered), Elements, ElementType.Int32));
        alone.Pending().Wait();
        if (!engine.ToIntArray(gathered).AsSpan().SequenceEqual(values))
            throw new NotSupportedException($"{library.Version} did not copy what a rank sent to itself");
    }
}
