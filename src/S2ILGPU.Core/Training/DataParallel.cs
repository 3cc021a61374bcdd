using System.Runtime.InteropServices;
using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>A step shared by ranks: gradients are summed in buckets while the backward walk goes on, each rank updates
/// the part of every bucket that belongs to it, and all take over the updated parts (ZeRO stage 1).</summary>
/// <remarks>A bucket is exchanged as soon as no op will add to it. Bytes per step and rank: twice those of the
/// parameters times (P - 1) / P, as an all-reduce has.</remarks>
/// <seealso href="https://arxiv.org/abs/1910.02054">Rajbhandari et al., ZeRO, section 5.1</seealso>
internal sealed class DataParallel : IDisposable
{
    /// <summary>Elements of a bucket: 4 MB, where messages reach the bandwidth of their link and several still fit
    /// into a backward walk.</summary>
    public const int DefaultBucketElements = 1 << 20;

    private const int MostGathering = 4;

    private readonly IEngine _engine;
    private readonly TransformerModel _model;
    private readonly GradientWatch _watch;
    private readonly RankBucket[] _buckets;
    private readonly Queue<(Pending Pending, Tensor Memory)> _open = [];
    private int _started;

    /// <summary>Makes all ranks begin with the parameters of rank 0.</summary>
    /// <param name="model">The model of this rank.</param>
    /// <param name="all">All ranks.</param>
    /// <param name="replicas">The ranks that have the same part of the layers as this one: all, where layers are
    /// whole.</param>
    /// <param name="watch">Knows which gradients are complete.</param>
    /// <param name="bucketElements">The most elements of a bucket.</param>
    public DataParallel(TransformerModel model, ICollective all, ICollective replicas, GradientWatch watch,
        int bucketElements)
    {
        (_model, _engine, All, Ranks, _watch) = (model, model.Engine, all, replicas, watch);
        var parameters = model.Parameters;
        for (int i = 0; i < parameters.Count; i++)
            (model.Specs[i].Slice is null ? all : replicas).Broadcast(parameters[i].Value, 0).Wait();
        model.RefreshShadows();
        _buckets = [.. BucketPiece.Cut([.. parameters.Select(p => p.Value.Count)], bucketElements)
            .Select(pieces => new RankBucket(_engine, parameters, pieces, replicas.Rank, replicas.Size))];
        Own = [.. _buckets.SelectMany(bucket => bucket.Own)];
    }

    /// <summary>All ranks of the run.</summary>
    public ICollective All { get; }

    /// <summary>The ranks that share the gradients and the moments of the parameters that are here.</summary>
    public ICollective Ranks { get; }

    /// <summary>What this rank updates, in the order of the buckets.</summary>
    public IReadOnlyList<Variable> Own { get; }

    /// <summary>The buckets.</summary>
    public IReadOnlyList<RankBucket> Buckets => _buckets;

    /// <summary>Buckets of the last step whose exchange began before its backward walk ended.</summary>
    public int StartedInWalk { get; private set; }

    /// <summary>Begins the exchange of a step, before its last backward walk.</summary>
    /// <returns>What to call after each step of the walk.</returns>
    public Action Begin()
    {
        _started = 0;
        return Progress;
    }

    /// <summary>Exchanges what is left after the last backward walk, and waits: the gradients of <see cref="Own"/> are
    /// those of the step.</summary>
    public void Finish()
    {
        StartedInWalk = _started;
        while (_started < _buckets.Length)
            Start();
        Close(0);
    }

    /// <summary>What the ranks have to know of each other before they change parameters.</summary>
    /// <param name="loss">The share of this rank.</param>
    /// <param name="isCancelled">Whether this rank wants to stop.</param>
    /// <returns>The sum of the losses in the order of the ranks, and whether a rank wants to stop.</returns>
    public (double Loss, bool IsCancelled) Agree(double loss, bool isCancelled)
    {
        const int Each = 3;
        Span<double> bits = [_model.Shard is { Rank: > 0 } ? 0 : loss]; // ranks that share layers have one loss
        using Tensor part = _engine.FromArray([.. MemoryMarshal.Cast<double, int>(bits), isCancelled ? 1 : 0]),
            all = _engine.Allocate(new Shape(Each * All.Size), ElementType.Int32);
        All.AllGather(part, all).Wait();
        int[] values = _engine.ToIntArray(all);
        double sum = 0;
        bool isAnyCancelled = false;
        for (int r = 0; r < All.Size; r++)
        {
            sum += MemoryMarshal.Cast<int, double>(values.AsSpan(r * Each, 2))[0];
            isAnyCancelled |= values[r * Each + 2] != 0;
        }
        return (sum, isAnyCancelled);
    }

    /// <summary>The sum of squares of the gradient of the step. Of parameters that are whole on ranks which share
    /// layers, the first of those counts.</summary>
    public double SumOfSquares() => GradientNorm.Sum(_engine, All, Ranks.Size, _buckets, parameter =>
        _model.Shard is not { Rank: > 0 } || _model.Specs[parameter].Slice is not null);

    /// <summary>Takes over what each rank has updated.</summary>
    public void ShareParameters()
    {
        var open = new Queue<(Pending Pending, RankBucket Bucket, Tensor All)>();
        foreach (var bucket in _buckets)
        {
            using var part = _engine.Zeros(bucket.PartCount);
            bucket.CopyOwnParameters(part);
            var all = _engine.Allocate(new Shape(bucket.Count), _engine.FloatType);
            open.Enqueue((Ranks.AllGather(part, all), bucket, all));
            if (open.Count > MostGathering)
                TakeOver(open.Dequeue());
        }
        while (open.TryDequeue(out var oldest))
            TakeOver(oldest);
        _model.RefreshShadows();
    }

    /// <summary>Frees the gradients of the own parts.</summary>
    public void Dispose()
    {
        foreach (var (_, memory) in _open)
            memory.Dispose();
        foreach (var bucket in _buckets)
            bucket.Dispose();
    }

    private static void TakeOver((Pending Pending, RankBucket Bucket, Tensor All) gathering)
    {
        using (gathering.All)
        {
            gathering.Pending.Wait();
            gathering.Bucket.CopyToParameters(gathering.All);
        }
    }

    // All ranks start buckets in the same order, whenever each can.
    private void Progress()
    {
        foreach (var (pending, _) in _open)
            pending.Poll();
        while (_started < _buckets.Length
            && _buckets[_started].Pieces.All(piece => _watch.IsComplete(piece.Parameter)))
            Start();
    }

    private void Start()
    {
        var bucket = _buckets[_started++];
        var memory = _engine.Allocate(new Shape(bucket.Count), _engine.FloatType);
        bucket.CopyGradients(memory);
        _open.Enqueue((Ranks.ReduceScatter(memory, bucket.PartGradient), memory));
        while (_open.TryPeek(out var oldest) && oldest.Pending.IsComplete)
            Close(_open.Count - 1);
    }

    private void Close(int count)
    {
        while (_open.Count > count)
        {
            var (pending, memory) = _open.Dequeue();
            using (memory)
                pending.Wait();
        }
    }
}
