using System.Net;
using System.Net.Sockets;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Autograd;
using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Core.Tests.Scheduling;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.AttentionWorkers;

/// <summary>Attention on workers: the same tokens, the counted bytes, and what a lost worker costs.</summary>
public sealed class RemoteAttentionTests : IDisposable
{
    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };
    private static readonly SchedulerOptions s_options =
        new() { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80 };

    private readonly ServedModel _served = new();
    // One of them may listen again where it did.
    private readonly WorkerHost[] _workers = [new(FreePort.Find()), new(FreePort.Find())];

    public void Dispose()
    {
        Array.ForEach(_workers, worker => worker.Dispose());
        _served.Dispose();
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(2, null)]
    [InlineData(2, ElementType.Int8)]
    public void Without_overlap_random_traffic_gets_the_tokens_of_one_process(int workers, ElementType? cacheType)
    {
        TestScale.SkipUnlessDrawn(2);
        _served.CacheType = cacheType;
        var random = _served.Random;
        using var scheduler = new Scheduler(_served.Model, s_options with
        {
            MaxBytes = 3 * Demand(160),
            Overcommit = 2,
            Prefixes = 5,
            ElementType = cacheType,
            Speculate = random.Pick(0, 1, 7),
            AttentionWorkers = Workers(workers, overlap: false),
        });
        var open = Traffic(scheduler, 16);
        while (scheduler.Step()) { }
        Check(open);
        scheduler.ForgetPrefixes();
        Assert.Equal(0, scheduler.Counters.UsedPages);
        Assert.Equal(0, scheduler.AttentionWorkers!.Losses);
    }

    [Fact]
    public async Task A_limit_counts_the_pages_of_each_worker()
    {
        int tokens = 100 + _served.Random.Next(60);
        var requests = Enumerable.Range(0, 4)
            .Select(_ => (Prompt: _served.Prompt(tokens - 10), Received: new Received())).ToArray();
        long each, together = 0;
        using (var remote = new RemoteAttention(_served.Model, new KeyValueCacheOptions(), Workers(2, overlap: false)))
        using (var cache = new KeyValueCache(_served.Model, new KeyValueCacheOptions(), remote))
            each = 2 * new PageDemand(_served.Model, cache, ServedModel.ChunkTokens).Bytes(tokens);
        foreach (var worker in _workers)
            await worker.SaysAsync("is gone");
        using var scheduler = new Scheduler(_served.Model, s_options with
        {
            MaxBytes = each,
            Prefixes = 0,
            AttentionWorkers = Workers(2, overlap: false),
        });
        foreach (var (prompt, received) in requests)
            scheduler.Submit(new GenerationRequest { Prompt = prompt, MaxTokens = 11, Sampling = s_greedy,
                OnToken = received.Take });
        int heads = _served.Model.Config.KeyValueHeads, most = 0;
        while (scheduler.Step())
        {
            var snapshot = scheduler.Capture();
            most = Math.Max(most, snapshot.Sequences.Count);
            together = Math.Max(together, snapshot.Counters.UsedBytes);
            for (int worker = 0; worker < 2; worker++)
                Assert.True(BytesOf(snapshot, worker * heads / 2, heads / 2) <= each, Seeds.Text);
        }
        Assert.Equal(2, most);
        Assert.True(together > each, $"{together} bytes of both workers, {each} of each are allowed; {Seeds.Text}");
        foreach (var (prompt, received) in requests)
            Assert.True(_served.Alone(new GenerationRequest { Prompt = prompt, MaxTokens = 11, Sampling = s_greedy })
                .AsSpan().SequenceEqual(received.Tokens()), Seeds.Text);
    }

    [Fact]
    public async Task With_overlap_a_sequence_gets_the_same_bits_in_every_mix_and_logits_differ_by_rounding()
    {
        var random = _served.Random;
        int vocabulary = _served.Model.Config.VocabularySize;
        int[][] texts = [.. Enumerable.Range(0, 4).Select(_ => _served.Prompt(random.Next(40, 150)))];
        int[] prompts = [.. texts.Select(text => random.Next(1, text.Length - 8))];
        var options = new KeyValueCacheOptions { Sequences = 4 };
        float[][] together, alone;
        using (var remote = new RemoteAttention(_served.Model, options, Workers(2, overlap: true)))
        {
            together = Run(remote, options, texts, prompts, [0, 1, 2, 3]);
            Assert.InRange(remote.Figures.WaitSeconds, 0, remote.Figures.AwaySeconds);
        }
        await _workers[0].SaysAsync("is gone");
        await _workers[1].SaysAsync("is gone");
        using (var remote = new RemoteAttention(_served.Model, options, Workers(2, overlap: true)))
            alone = [.. Enumerable.Range(0, 4).Select(s => Run(remote, options, texts, prompts, [s])[s])];
        double[][] exact = Exact(texts);
        double largest = exact.Max(logits => logits.Max(Math.Abs)), error = 0;
        for (int s = 0; s < 4; s++)
        {
            Assert.True(together[s].AsSpan().SequenceEqual(alone[s]), $"sequence {s}; {Seeds.Text}");
            for (int i = 0; i < vocabulary; i++)
                error = Math.Max(error, Math.Abs(together[s][i] - exact[s][i]));
        }
        Assert.True(error < 2e-4 * largest, $"largest error {error} of logits up to {largest}; {Seeds.Text}");
    }

    [Theory]
    [InlineData(4, 4, 3, 1, ElementType.Float32)]
    [InlineData(4, 2, 2, 2, ElementType.Float32)]
    [InlineData(8, 2, 1, 2, ElementType.BFloat16)]
    [InlineData(6, 1, 4, 1, ElementType.Float32)]
    public async Task Bytes_per_token_are_those_of_the_formula(int heads, int keyHeads, int layers, int workers,
        ElementType type)
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        // A plan of one entry is that of all layers.
        var config = TinyModels.Config(TinyModels.Sparse) with
        {
            Layers = layers,
            QueryHeads = heads,
            KeyValueHeads = keyHeads,
        };
        using var model = new TransformerModel(engine, config, activationType: type);
        foreach (bool overlap in (bool[])[true, false])
        {
            using var scheduler = new Scheduler(model, s_options with { AttentionWorkers = Workers(workers, overlap) });
            for (int n = 0; n < 3; n++)
                scheduler.Submit(new GenerationRequest { Prompt = TinyModels.Tokens(_served.Random, 50, 11),
                    MaxTokens = 20, Sampling = s_greedy });
            while (scheduler.Step()) { }
            var figures = scheduler.AttentionWorkers!;
            long group = heads / keyHeads, dim = heads * config.HeadDim, each = type.SizeBytes(),
                perToken = (2 * group + 2) * each * dim * layers / group;
            Assert.Equal(scheduler.Counters.ComputedTokens * perToken,
                figures.TensorBytesSent + figures.TensorBytesReceived);
            Assert.Equal(scheduler.Counters.ComputedTokens * each * dim * layers, figures.TensorBytesReceived);
            Assert.InRange(figures.BytesSent, figures.TensorBytesSent + 1, long.MaxValue);
            scheduler.Dispose();
            for (int w = 0; w < workers; w++)
            {
                await _workers[w].SaysAsync("is gone");
                _workers[w].Lines.Clear();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lost_worker_changes_no_token(bool hasSpare)
    {
        TestScale.SkipUnlessDrawn(2);
        var random = _served.Random;
        var lines = new List<string>();
        using var spare = new WorkerHost();
        int lost = random.Next(2);
        using var scheduler = new Scheduler(_served.Model, s_options with
        {
            Prefixes = 5,
            Speculate = random.Pick(0, 7),
            AttentionWorkers = Workers(2, overlap: false) with
            {
                Spares = hasSpare ? [spare.Address] : [],
                Report = lines.Add,
            },
        });
        var open = Traffic(scheduler, 8);
        for (int step = random.Next(1, 20); step > 0; step--)
            scheduler.Step();
        open.AddRange(Traffic(scheduler, 1)); // so that something runs
        int port = _workers[lost].Port;
        _workers[lost].Dispose();
        for (int step = 0; step < 3; step++)
            scheduler.Step();
        if (!hasSpare)
            _workers[lost] = new WorkerHost(port);
        open.AddRange(Traffic(scheduler, 4));
        while (scheduler.Step()) { }
        Check(open);
        Assert.Equal(1, scheduler.AttentionWorkers!.Losses);
        Assert.StartsWith($"attention worker 127.0.0.1:{port}: ", lines[0]);
        Assert.StartsWith("attention runs on ", lines[1]);
        Assert.Equal(2, lines.Count);
        Assert.Equal(hasSpare, lines[1].Contains(spare.Address));
    }

    [Fact]
    public void A_worker_that_stays_away_ends_requests_with_one_error()
    {
        using var thread = new SchedulerThread(_served.Model, s_options with
        {
            AttentionWorkers = Workers(2, overlap: true) with { RestoreTimeout = TimeSpan.Zero },
        });
        string address = _workers[1].Address;
        _workers[1].Dispose();
        using var stream = thread.Submit(new GenerationRequest { Prompt = _served.Prompt(20), MaxTokens = 100 });
        var error = Assert.Throws<InvalidOperationException>(() =>
        {
            while (stream.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
                while (stream.TryRead(out _)) { }
        });
        Assert.Contains("no attention worker came back within 0 s", error.Message);
        Assert.Contains(address, error.Message);
    }

    [Fact]
    public async Task A_worker_that_falls_silent_is_lost()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var silent = Task.Run(async () =>
        {
            using var frames = new FrameStream(await listener.AcceptSocketAsync());
            frames.ReadPayload(frames.Read().PayloadBytes);
            frames.Add(FrameKind.Welcome);
            frames.Send();
            while (frames.TryRead() is { } frame)
                frames.ReadPayload(frame.PayloadBytes);
        }, TestContext.Current.CancellationToken);
        using var scheduler = new Scheduler(_served.Model, s_options with
        {
            AttentionWorkers = new AttentionWorkerOptions
            {
                Addresses = [$"{listener.LocalEndpoint}"],
                Timeout = TimeSpan.FromSeconds(1),
                RestoreTimeout = TimeSpan.Zero,
            },
        });
        scheduler.Submit(new GenerationRequest { Prompt = _served.Prompt(5) });
        Assert.True(scheduler.Step());
        Assert.Equal(1, scheduler.AttentionWorkers!.Losses);
        await silent.ContinueWith(_ => { }, TestContext.Current.CancellationToken);
        listener.Stop();
        Assert.Contains("no attention worker came back within 0 s; attention worker 127.0.0.1:",
            Assert.Throws<IOException>(() => scheduler.Step()).Message);
    }

    private AttentionWorkerOptions Workers(int count, bool overlap) => new()
    {
        Addresses = [.. _workers.Take(count).Select(worker => worker.Address)],
        Overlap = overlap,
        Timeout = TimeSpan.FromMinutes(10),
        RestoreTimeout = TimeSpan.FromMinutes(10),
    };

    // Prompts in chunks, then tokens one by one, of some of the texts; the last logits of each.
    private float[][] Run(IRemoteCache? remote, KeyValueCacheOptions options, int[][] texts, int[] prompts, int[] which)
    {
        using var cache = new KeyValueCache(_served.Model, options, remote);
        using var step = new PackedStep(_served.Model, cache);
        float[][] logits = new float[texts.Length][];
        while (true)
        {
            int[] open = [.. which.Where(s => cache.Length(s) < texts[s].Length)];
            if (open.Length == 0)
                break;
            step.Begin();
            foreach (int s in open)
            {
                int length = cache.Length(s), count = length >= prompts[s] ? 1
                    : Math.Min(prompts[s] - length, ServedModel.ChunkTokens - length % ServedModel.ChunkTokens);
                step.Add(s, texts[s].AsSpan(length, count), 1);
            }
            step.Run();
            for (int i = 0; i < open.Length; i++)
                logits[open[i]] = step.Logits(i).ToArray();
        }
        Array.ForEach(which, cache.Clear);
        Assert.Equal(0, cache.UsedPages);
        return logits;
    }

    // The last logits of each text, in double precision.
    private double[][] Exact(int[][] texts)
    {
        var engine = new ReferenceEngine();
        using var model = new TransformerModel(engine, _served.Model.Config, seed: null);
        foreach (var (to, from) in model.StoredTensors.Zip(_served.Model.StoredTensors))
            engine.Upload(_served.Model.Engine.ToArray(from.Tensor), to.Tensor);
        return [.. texts.Select(text =>
        {
            using var tape = new Tape(engine, recording: false);
            return ReferenceEngine.Values(model.Forward(tape, text, 1).Value)[^model.Config.VocabularySize..];
        })];
    }

    private List<(SubmittedRequest Request, Received Received)> Traffic(Scheduler scheduler, int requests)
    {
        var random = _served.Random;
        int[] shared = _served.Prompt(96);
        var open = new List<(SubmittedRequest, Received)>();
        for (int n = 0; n < requests; n++)
        {
            var received = new Received();
            open.Add((scheduler.Submit(new GenerationRequest
            {
                Prompt = [.. shared[..random.Pick(0, 0, 40, 64, 96)], .. _served.Prompt(random.Next(1, 34))],
                MaxTokens = random.Next(1, 30),
                Choices = random.Pick(1, 1, 2),
                Sampling = random.Next(2) == 0 ? s_greedy : new SamplingOptions { Seed = (ulong)n },
                Priority = random.Next(3),
                OnToken = received.Take,
            }), received));
            for (int step = random.Next(6); step > 0; step--)
                scheduler.Step();
        }
        return open;
    }

    private void Check(List<(SubmittedRequest Request, Received Received)> open)
    {
        foreach (var (request, received) in open)
        {
            Assert.True(request.IsFinished);
            for (int choice = 0; choice < request.Request.Choices; choice++)
                Assert.True(_served.Alone(request.Request, choice).AsSpan().SequenceEqual(received.Tokens(choice)),
                    $"choice {choice} of a prompt of {request.Request.Prompt.Count} tokens; {Seeds.Text}");
        }
    }

    private long BytesOf(SchedulerSnapshot snapshot, int firstHead, int heads)
    {
        long bytes = 0, token = 2 * sizeof(float) * _served.Model.Config.HeadDim;
        foreach (var map in snapshot.Sequences.Select(running => running.Pages))
            for (int layer = 0; layer < map.Layers; layer++)
                for (int head = firstHead; head < firstHead + heads; head++)
                    bytes += token * _served.Model.Pattern(layer).BlockTokens * Enumerable.Range(0, map.Blocks(layer))
                        .Count(block => map[layer, head, block] == PageState.Kept);
        return bytes;
    }

    private long Demand(int tokens)
    {
        using var cache = new KeyValueCache(_served.Model,
            new KeyValueCacheOptions { ElementType = _served.CacheType });
        return new PageDemand(_served.Model, cache, ServedModel.ChunkTokens).Bytes(tokens);
    }
}
