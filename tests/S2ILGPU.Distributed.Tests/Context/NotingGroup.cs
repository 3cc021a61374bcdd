using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Tests.Context;

/// <summary>Rank 1 of 2, whose exchanges bring zeros, and note when they begin and when they are waited for.</summary>
internal sealed class NotingGroup(IEngine engine, List<string> calls) : ICollective
{
    public int Rank => 1;

    public int Size => 2;

    public long SentBytes => 0;

    public Pending AllToAll(Tensor send, ReadOnlySpan<int> sendCounts, Tensor receive, ReadOnlySpan<int> receiveCounts)
    {
        calls.Add("send");
        return new Exchange(() =>
        {
            calls.Add("wait");
            engine.Fill(receive, 0);
        });
    }

    public Pending AllReduce(Tensor x) => throw Unexpected();

    public Pending AllGather(Tensor part, Tensor all) => throw Unexpected();

    public Pending ReduceScatter(Tensor all, Tensor part) => throw Unexpected();

    public Pending Broadcast(Tensor x, int root) => throw Unexpected();

    public Pending Send(Tensor x, int to, int tag) => throw Unexpected();

    public Pending Receive(Tensor x, int from, int tag) => throw Unexpected();

    public ICollective Split(int color, int key) => throw Unexpected();

    public void Dispose()
    {
    }

    private static InvalidOperationException Unexpected() => new("attention over a shared context only exchanges");

    private sealed class Exchange(Action wait) : Pending
    {
        public override bool Poll() => IsComplete;

        public override void Wait()
        {
            wait();
            IsComplete = true;
        }
    }
}
