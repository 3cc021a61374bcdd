using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.AttentionWorkers;

/// <summary>The model worker's end: sends queries, keys and values to attention workers, each with some of the KV
/// heads, and puts their outputs together.</summary>
/// <remarks>For each layer and token <c>(2 + 2/G) H D e</c> bytes of tensors travel: Q there and O back, and K and V of
/// H/G heads there. Not thread-safe, but for <see cref="Figures"/>.</remarks>
internal sealed class RemoteAttention : IRemoteCache, IDisposable
{
    private static readonly TimeSpan s_retryDelay = TimeSpan.FromMilliseconds(100);

    private readonly AttentionWorkerOptions _options;
    private readonly TransformerConfig _config;
    private readonly WireTensors _tensors;
    private readonly (Hello Hello, string Fingerprint)[] _hellos;
    private readonly string[] _addresses;
    private readonly WorkerLink?[] _links;
    private readonly long[] _sent = new long[KeyValueCache.Passes];                // when queries were sent
    private long _lostTimestamp, _earlierSent, _earlierReceived;
    private AttentionWorkerFigures _figures = new();

    /// <summary>Connects to the workers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="cache">Sequences, lengths and element type of the cache.</param>
    /// <param name="options">Where the workers are.</param>
    /// <exception cref="ArgumentException">An option is wrong, the workers do not divide the KV heads, or the model
    /// runs with something that workers do not compute.</exception>
    /// <exception cref="IOException">A worker is not reached or refuses.</exception>
    public RemoteAttention(TransformerModel model, KeyValueCacheOptions cache, AttentionWorkerOptions options)
    {
        _options = options.Validate();
        _config = model.Config;
        int workers = options.Addresses.Count, heads = _config.KeyValueHeads / workers;
        if (_config.KeyValueHeads % workers != 0)
            throw new ArgumentException($"{workers} attention workers cannot share {_config.KeyValueHeads} key/value "
                + "heads: each needs as many whole ones");
        if (model.Sample is not null)
            throw new ArgumentException("attention workers do not choose blocks at run time: leave sampled attention "
                + "or the workers out");
        if (!WireTensors.Carries(model.ActivationType))
            throw new ArgumentException($"activations of {model.ActivationType} do not travel to attention workers; "
                + $"{ElementType.Float32} and {ElementType.BFloat16} do");
        _tensors = new WireTensors(model.Engine);
        (_addresses, _links) = ([.. options.Addresses], new WorkerLink?[workers]);
        string config = TransformerConfigFile.Format(_config);
        _hellos = [.. Enumerable.Range(0, workers).Select(worker =>
        {
            var hello = new Hello(config, worker * heads, heads, model.ActivationType,
                cache.ElementType ?? model.ActivationType, cache.Sequences, cache.MaxTokens ?? _config.ContextTokens,
                options.Overlap);
            return (hello, hello.Fingerprint(new AttentionLayers(model.Engine, _config, hello.QueryHeads(_config),
                model.ActivationType)));
        })];
        try
        {
            for (int worker = 0; worker < workers; worker++)
                _links[worker] = Connect(worker, _addresses[worker]);
        }
        catch (AttentionLostException e)
        {
            Disconnect();
            throw new IOException(e.Message, e);
        }
    }

    public int Workers => _links.Length;

    /// <summary>Whether a worker is lost, so that the cache is empty.</summary>
    public bool IsLost { get; private set; }

    /// <summary>What was sent, received and waited for. Any thread may read it.</summary>
    public AttentionWorkerFigures Figures => Volatile.Read(ref _figures);

    /// <summary>Gives all connections up; what the workers hold is gone.</summary>
    public void Lose(AttentionLostException why)
    {
        Disconnect();
        (IsLost, _lostTimestamp) = (true, Stopwatch.GetTimestamp());
        _figures = _figures with { Losses = _figures.Losses + 1 };
        _options.Report?.Invoke(why.Message);
    }

    /// <summary>Tries to connect to all workers again, to spares in place of those that are not reached.</summary>
    /// <returns>False when one is still missing; call it again.</returns>
    /// <exception cref="IOException">They did not come back in time.</exception>
    public bool TryRestore()
    {
        List<AttentionLostException> missing = [];
        for (int worker = 0; worker < _links.Length; worker++)
            try
            {
                _links[worker] ??= ConnectAgain(worker);
            }
            catch (AttentionLostException e)
            {
                missing.Add(e);
            }
        if (missing.Count == 0)
        {
            IsLost = false;
            _options.Report?.Invoke($"attention runs on {string.Join(" and ", _addresses)} again");
            return true;
        }
        if (Stopwatch.GetElapsedTime(_lostTimestamp) > _options.RestoreTimeout)
            throw new IOException($"no attention worker came back within {_options.RestoreTimeout.TotalSeconds} s; "
                + string.Join("; ", missing.Select(e => e.Message)), missing[0]);
        Thread.Sleep(s_retryDelay);
        return false;
    }

    public void Clear(int sequence) => Tell(FrameKind.Clear, sequence);

    public void Save(int sequence, int number) => Tell(FrameKind.Save, sequence, number);

    public void Restore(int number, int sequence) => Tell(FrameKind.Restore, sequence, number);

    public void Drop(int number) => Tell(FrameKind.Drop, number);

    public void TakeBack(int sequence, int length) => Tell(FrameKind.TakeBack, sequence, length);

    public void Begin(int pass, ReadOnlySpan<StepRows> rows)
    {
        foreach (var link in _links)
        {
            var numbers = MemoryMarshal.Cast<byte, int>(
                link!.Frames.Add(FrameKind.Begin, pass, payloadBytes: 3 * sizeof(int) * rows.Length));
            for (int i = 0; i < rows.Length; i++)
                (numbers[3 * i], numbers[3 * i + 1], numbers[3 * i + 2]) =
                    (rows[i].Sequence, rows[i].FirstRow, rows[i].Count);
        }
    }

    public void End(int pass) => Tell(FrameKind.End, pass);

    public void Query(int pass, int layer, Tensor query)
    {
        _sent[pass] = Stopwatch.GetTimestamp();
        foreach (var link in _links)
        {
            Add(query, Queries(link!.Hello), link.Frames.Add(FrameKind.Query, pass, layer,
                Bytes(query, Queries(link.Hello).Count)));
            Send(link);
        }
    }

    public void KeyValue(int pass, int layer, Tensor key, Tensor value)
    {
        foreach (var link in _links)
        {
            var heads = (link!.Hello.FirstHead, link.Hello.Heads);
            int bytes = Bytes(key, link.Hello.Heads);
            var payload = link.Frames.Add(FrameKind.KeyValue, pass, layer, 2 * bytes);
            Add(key, heads, payload[..bytes]);
            Add(value, heads, payload[bytes..]);
            Send(link);
        }
    }

    public void Output(int pass, int layer, Tensor output)
    {
        long start = Stopwatch.GetTimestamp(), received = 0;
        foreach (var link in _links)
            received += Receive(link!, pass, layer, output);
        _figures = _figures with
        {
            TensorBytesReceived = _figures.TensorBytesReceived + received,
            BytesSent = _earlierSent + _links.Sum(link => link!.Frames.SentBytes),
            BytesReceived = _earlierReceived + _links.Sum(link => link!.Frames.ReceivedBytes),
            AwaySeconds = _figures.AwaySeconds + Stopwatch.GetElapsedTime(_sent[pass]).TotalSeconds,
            WaitSeconds = _figures.WaitSeconds + Stopwatch.GetElapsedTime(start).TotalSeconds,
            Workers = _addresses,
            WorkerCpuSeconds = [.. _links.Select(link => link!.Cpu.TotalSeconds)],
            WorkerBusySeconds = [.. _links.Select(link => link!.Busy.TotalSeconds)],
        };
    }

    public void Dispose() => Disconnect();

    private WorkerLink Connect(int worker, string address) => WorkerLink.Connect(address, _hellos[worker].Hello,
        _hellos[worker].Fingerprint, _options.Timeout);

    private WorkerLink ConnectAgain(int worker)
    {
        try
        {
            return Connect(worker, _addresses[worker]);
        }
        catch (AttentionLostException)
        {
            foreach (string spare in _options.Addresses.Concat(_options.Spares).Except(_addresses))
                try
                {
                    var link = Connect(worker, spare);
                    _addresses[worker] = spare;
                    return link;
                }
                catch (AttentionLostException)
                {
                    // The next one.
                }
            throw;
        }
    }

    private void Disconnect()
    {
        for (int worker = 0; worker < _links.Length; worker++)
        {
            _earlierSent += _links[worker]?.Frames.SentBytes ?? 0;
            _earlierReceived += _links[worker]?.Frames.ReceivedBytes ?? 0;
            _links[worker]?.Dispose();
            _links[worker] = null;
        }
    }

    // Goes with the next queries; a worker that is connected again begins empty.
    private void Tell(FrameKind kind, int first, int second = 0)
    {
        foreach (var link in _links)
            link?.Frames.Add(kind, first, second);
    }

    private (int First, int Count) Queries(Hello hello)
    {
        int group = _config.QueryHeads / _config.KeyValueHeads;
        return (hello.FirstHead * group, hello.Heads * group);
    }

    private static int Bytes(Tensor rows, int heads) =>
        checked(rows.Shape[1] * heads * rows.Shape[3] * rows.ElementType.SizeBytes());

    private void Add(Tensor rows, (int First, int Count) heads, Span<byte> payload)
    {
        using var part = rows.Slice(2, heads.First, heads.Count);
        _tensors.Load(part, payload);
        _figures = _figures with { TensorBytesSent = _figures.TensorBytesSent + payload.Length };
    }

    private static void Send(WorkerLink link)
    {
        try
        {
            link.Frames.Send();
        }
        catch (IOException e)
        {
            throw WorkerLink.Lost(link.Address, e.GetBaseException().Message, e);
        }
    }

    // Returns the bytes of the outputs.
    private int Receive(WorkerLink link, int pass, int layer, Tensor output)
    {
        var heads = Queries(link.Hello);
        int bytes = Bytes(output, heads.Count);
        try
        {
            var frame = link.Frames.Read();
            if (frame.Kind == FrameKind.Failed)
                throw new InvalidOperationException(
                    $"attention worker {link.Address}: {link.Frames.ReadText(frame.PayloadBytes)}");
            frame.Expect(FrameKind.Output, 2 * sizeof(long) + bytes);
            if ((frame.First, frame.Second) != (pass, layer))
                throw new InvalidDataException($"malformed frame: outputs of pass {frame.First}, layer {frame.Second} "
                    + $"instead of pass {pass}, layer {layer}");
            var payload = link.Frames.ReadPayload(frame.PayloadBytes);
            link.Cpu = TimeSpan.FromTicks(BinaryPrimitives.ReadInt64LittleEndian(payload));
            link.Busy = TimeSpan.FromTicks(BinaryPrimitives.ReadInt64LittleEndian(payload[sizeof(long)..]));
            using var part = output.Slice(2, heads.First, heads.Count);
            _tensors.Store(payload[(2 * sizeof(long))..], part);
            return bytes;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidOperationException($"attention worker {link.Address}: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw WorkerLink.Lost(link.Address, e.GetBaseException().Message, e);
        }
    }
}
