using S2ILGPU.Tensors;

namespace S2ILGPU.Collectives;

/// <summary>What the ranks of a group do together: the contract between training and a transport.</summary>
/// <remarks>
/// <para>Every rank calls the same operations in the same order with tensors of fitting sizes; several may be under way
/// at once. Tensors are contiguous Float32, BFloat16 or Int32 and lie on the engine of the rank. An operation reads
/// its inputs when it is called, and writes its results when it is polled or waited for.</para>
/// <para>Sums are formed in the order of the ranks, <c>((x_0 + x_1) + x_2) + ...</c>, so they have the same bits on
/// every engine and transport and on every rank. BFloat16 is summed in single precision and rounded once; Int32 wraps.
/// Sizes may be 0.</para>
/// <para>Wrong shapes are refused with a <see cref="ShapeException"/> before anything is sent. Not
/// thread-safe: a rank is one thread.</para>
/// </remarks>
public interface ICollective : IDisposable
{
    /// <summary>Number of this rank, from 0.</summary>
    int Rank { get; }

    /// <summary>Number of ranks.</summary>
    int Size { get; }

    /// <summary>Bytes that this rank has sent to other ranks of the group.</summary>
    long SentBytes { get; }

    /// <summary><c>x = sum_r x_r</c> on every rank.</summary>
    /// <param name="x">Any shape, the same on all ranks; replaced.</param>
    Pending AllReduce(Tensor x);

    /// <summary>The parts of all ranks, one after the other, on every rank.</summary>
    /// <param name="part">n elements, the same number on all ranks; read.</param>
    /// <param name="all">n times <see cref="Size"/> elements; written.</param>
    Pending AllGather(Tensor part, Tensor all);

    /// <summary>Part r of <c>sum_r all_r</c> on rank r.</summary>
    /// <param name="all">n times <see cref="Size"/> elements; read.</param>
    /// <param name="part">n elements; written.</param>
    Pending ReduceScatter(Tensor all, Tensor part);

    /// <summary>From each rank to each other rank another part.</summary>
    /// <param name="send">What goes to rank 0, then to rank 1 and so on, the own part among them; read.</param>
    /// <param name="sendCounts">Elements for each rank.</param>
    /// <param name="receive">What comes from rank 0, then from rank 1 and so on; written.</param>
    /// <param name="receiveCounts">Elements from each rank: what that rank sends to this one.</param>
    Pending AllToAll(Tensor send, ReadOnlySpan<int> sendCounts, Tensor receive, ReadOnlySpan<int> receiveCounts);

    /// <summary>The elements of one rank on all.</summary>
    /// <param name="x">Read on the root, written on the others.</param>
    /// <param name="root">The rank that has the elements.</param>
    Pending Broadcast(Tensor x, int root);

    /// <summary>Elements for one rank, which receives them with the same tag.</summary>
    /// <param name="x">Read.</param>
    /// <param name="to">Another rank.</param>
    /// <param name="tag">0 to 16383; messages of one tag between two ranks come in their order.</param>
    Pending Send(Tensor x, int to, int tag);

    /// <summary>Elements from one rank, which sends them with the same tag.</summary>
    /// <param name="x">As many elements as were sent; written.</param>
    /// <param name="from">Another rank.</param>
    /// <param name="tag">0 to 16383.</param>
    Pending Receive(Tensor x, int from, int tag);

    /// <summary>Groups of the ranks that name the same color; every rank calls it, and waits.</summary>
    /// <param name="color">Which group this rank joins; not negative.</param>
    /// <param name="key">Order in the group; equal keys keep the order of the ranks.</param>
    /// <returns>The group of this rank; the caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The color is negative.</exception>
    ICollective Split(int color, int key);
}
