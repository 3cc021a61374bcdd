using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Distributed.Tests;

/// <summary>Every operation against plain arithmetic; each rank knows the inputs of all.</summary>
/// <param name="ranks">The ranks.</param>
/// <param name="engine">The engine of this rank.</param>
/// <param name="seed">The same on all ranks.</param>
internal sealed class CollectiveChecks(ICollective ranks, IEngine engine, int seed)
{
    private int _case;

    /// <summary>All operations with vectors of some length.</summary>
    public void Run(ElementType type, int count)
    {
        AllReduces(type, count);
        Gathers(type, count);
        Scatters(type, count);
        Exchanges(type, count);
        Broadcasts(type, count);
        Sends(type, count);
    }

    /// <summary>Groups of even and odd ranks in reverse order, with an operation under way in all ranks too.</summary>
    public void Splits(ElementType type, int count)
    {
        using var half = ranks.Split(ranks.Rank % 2, -ranks.Rank);
        int[] members = [.. Enumerable.Range(0, ranks.Size).Where(r => r % 2 == ranks.Rank % 2).Reverse()];
        Assert.Equal(members.Length, half.Size);
        Assert.Equal(ranks.Rank, members[half.Rank]);
        int whole = _case++, part = _case++;
        using Tensor x = Upload(type, Values(type, whole, ranks.Rank, count)),
            y = Upload(type, Values(type, part, ranks.Rank, count));
        Pending first = ranks.AllReduce(x), second = half.AllReduce(y);
        while (!second.Poll())
            first.Poll();
        first.Wait();
        Equal(type, Sum(type, whole, [.. Enumerable.Range(0, ranks.Size)], count), x);
        Equal(type, Sum(type, part, members, count), y);
    }

    /// <summary>Three ranks of which one throws: the others end with its number and message.</summary>
    /// <param name="onRanks">Runs a number of ranks.</param>
    /// <returns>What the run throws.</returns>
    public static RankFailedException EndOfOneThatThrows(Action<int, Action<ICollective, IEngine>> onRanks)
    {
        var failure = Assert.Throws<RankFailedException>(() => onRanks(3, (collective, engine) =>
        {
            if (collective.Rank == 1)
                throw new InvalidDataException("no such data");
            using var x = engine.Zeros(10);
            var other = Assert.Throws<RankFailedException>(() => collective.AllReduce(x).Wait());
            Assert.Equal("rank 1: no such data", other.Message);
            throw other;
        }));
        Assert.Equal((1, "rank 1: no such data"), (failure.Rank, failure.Message));
        return failure;
    }

    /// <summary>What one rank alone may not ask for.</summary>
    public static void RefusesWrongArguments(ICollective collective, IEngine engine)
    {
        using Tensor three = engine.Zeros(3), four = engine.Zeros(4), square = engine.Zeros(2, 2),
            strided = square.Permute(1, 0), half = engine.Allocate(new Shape(3), ElementType.Float16);
        Assert.Throws<ShapeException>(() => collective.AllGather(three, four));
        Assert.Throws<ShapeException>(() => collective.ReduceScatter(four, three));
        Assert.Throws<ShapeException>(() => collective.AllReduce(strided));
        Assert.Throws<ShapeException>(() => collective.AllReduce(half));
        Assert.Throws<ShapeException>(() => collective.AllToAll(three, [4], three, [3]));
        Assert.Throws<ShapeException>(() => collective.AllToAll(three, [3], three, [1, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => collective.Broadcast(three, root: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => collective.Send(three, to: 0, tag: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => collective.Receive(three, from: 0, tag: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => collective.Split(color: -1, key: 0));
        Assert.Equal(0, collective.SentBytes);
    }

    private void AllReduces(ElementType type, int count)
    {
        int at = _case++;
        using var x = Upload(type, Values(type, at, ranks.Rank, count));
        var pending = ranks.AllReduce(x);
        while (!pending.Poll())
            Thread.Yield();
        Equal(type, Sum(type, at, All, count), x);
    }

    private void Gathers(ElementType type, int count)
    {
        int at = _case++;
        using Tensor part = Upload(type, Values(type, at, ranks.Rank, count)), all = Empty(type, count * ranks.Size);
        ranks.AllGather(part, all).Wait();
        Equal(type, [.. All.SelectMany(r => Values(type, at, r, count))], all);
    }

    private void Scatters(ElementType type, int count)
    {
        int at = _case++;
        using Tensor all = Upload(type, Values(type, at, ranks.Rank, count * ranks.Size)), part = Empty(type, count);
        ranks.ReduceScatter(all, part).Wait();
        Equal(type, Sum(type, at, All, count * ranks.Size)[(ranks.Rank * count)..((ranks.Rank + 1) * count)], part);
    }

    // From rank a to rank b go (a + 2 b + 1) % 4 times as many elements, so some send nothing.
    private void Exchanges(ElementType type, int count)
    {
        int at = _case++;
        int Count(int from, int to) => (from + 2 * to + 1) % 4 * count;
        int Sent(int from, int before) => Enumerable.Range(0, before).Sum(to => Count(from, to));
        int[] send = [.. All.Select(to => Count(ranks.Rank, to))],
            receive = [.. All.Select(from => Count(from, ranks.Rank))];
        using Tensor outgoing = Upload(type, Values(type, at, ranks.Rank, send.Sum())),
            incoming = Empty(type, receive.Sum());
        long before = ranks.SentBytes;
        ranks.AllToAll(outgoing, send, incoming, receive).Wait();
        Assert.Equal((send.Sum() - send[ranks.Rank]) * type.SizeBytes(), ranks.SentBytes - before);
        Equal(type, [.. All.SelectMany(from => Values(type, at, from, Sent(from, ranks.Size))
            .Skip(Sent(from, ranks.Rank)).Take(Count(from, ranks.Rank)))], incoming);
    }

    private void Broadcasts(ElementType type, int count)
    {
        int at = _case++, root = ranks.Size - 1;
        using var x = Upload(type, Values(type, at, ranks.Rank, count));
        ranks.Broadcast(x, root).Wait();
        Equal(type, Values(type, at, root, count), x);
    }

    // To the next rank, around; two messages of one tag come in their order.
    private void Sends(ElementType type, int count)
    {
        int first = _case++, second = _case++, to = (ranks.Rank + 1) % ranks.Size,
            from = (ranks.Rank + ranks.Size - 1) % ranks.Size;
        if (ranks.Size == 1)
            return;
        using Tensor x = Upload(type, Values(type, first, ranks.Rank, count)),
            y = Upload(type, Values(type, second, ranks.Rank, count)), a = Empty(type, count), b = Empty(type, count);
        Pending[] pending = [ranks.Send(x, to, 7), ranks.Send(y, to, 7), ranks.Receive(a, from, 7),
            ranks.Receive(b, from, 7)];
        foreach (var one in pending)
            one.Wait();
        Equal(type, Values(type, first, from, count), a);
        Equal(type, Values(type, second, from, count), b);
    }

    private int[] All => [.. Enumerable.Range(0, ranks.Size)];

    // Values as the type stores them; floats have fractions, so that the order of a sum shows.
    private float[] Values(ElementType type, int at, int rank, int count)
    {
        var random = new Random(unchecked(seed * 31 + at * 1009 + rank * 17));
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            int value = random.Next(-1_000_000, 1_000_000);
            values[i] = type == ElementType.Int32 ? value : Rounded(type, value / 7f);
        }
        return values;
    }

    private float[] Sum(ElementType type, int at, int[] members, int count)
    {
        float[] sum = Values(type, at, members[0], count);
        foreach (int member in members[1..])
        {
            float[] next = Values(type, at, member, count);
            for (int i = 0; i < count; i++)
                sum[i] += next[i];
        }
        return [.. sum.Select(value => Rounded(type, value))];
    }

    private static float Rounded(ElementType type, float value) =>
        type == ElementType.BFloat16 ? BFloat16Bits.Widen(BFloat16Bits.Round(value)) : value;

    private Tensor Upload(ElementType type, float[] values)
    {
        var tensor = engine.Allocate(new Shape(values.Length), type);
        if (type == ElementType.Int32)
            engine.Upload((ReadOnlySpan<int>)values.Select(v => (int)v).ToArray(), tensor);
        else
            engine.Upload((ReadOnlySpan<float>)values, tensor);
        return tensor;
    }

    private Tensor Empty(ElementType type, int count) => Upload(type, [.. Enumerable.Repeat(-1f, count)]);

    private void Equal(ElementType type, float[] expected, Tensor actual)
    {
        if (type == ElementType.Int32)
            Assert.Equal((int[])[.. expected.Select(v => (int)v)], engine.ToIntArray(actual));
        else
            Assert.Equal(expected, engine.ToArray(actual));
    }
}
