using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.AttentionWorkers;

/// <summary>The attention worker's end of a connection: a cache of some KV heads, which follows the frames.</summary>
internal sealed class WorkerSession : IDisposable
{
    private readonly FrameStream _frames;
    private readonly AttentionLayers _attention;
    private readonly KeyValueCache _cache;
    private readonly SplitAttention? _split;
    private readonly WireTensors _tensors;
    private readonly Dictionary<int, SavedSequence> _saved = [];
    private readonly Pass?[] _passes = new Pass?[KeyValueCache.Passes];
    private long _busy;

    /// <summary>Makes the cache.</summary>
    /// <param name="engine">The engine; not disposed.</param>
    /// <param name="frames">The connection; not disposed.</param>
    /// <param name="hello">What the model worker said.</param>
    /// <param name="fingerprint">Its hash of the same.</param>
    /// <exception cref="ArgumentException">The configuration is understood differently here, or the engine does not
    /// compute it.</exception>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public WorkerSession(IEngine engine, FrameStream frames, Hello hello, string fingerprint)
    {
        var config = hello.Parse();
        if (hello.Heads < 1 || hello.FirstHead < 0 || hello.FirstHead > config.KeyValueHeads - hello.Heads)
            throw new ArgumentException($"key/value heads {hello.FirstHead} and on, {hello.Heads} of them, are not "
                + $"some of the {config.KeyValueHeads} of the configuration");
        if (!WireTensors.Carries(hello.ActivationType) || !engine.SupportsAttention(hello.ActivationType))
            throw new ArgumentException($"{engine.Name} computes no attention of {hello.ActivationType}");
        _attention = new AttentionLayers(engine, config, hello.QueryHeads(config), hello.ActivationType);
        if (hello.Fingerprint(_attention) is var own && own != fingerprint)
            throw new ArgumentException($"the configuration is understood differently here: fingerprint {own}, the "
                + $"model worker has {fingerprint}; both must be of one version of s2");
        _frames = frames;
        _cache = new KeyValueCache(_attention, hello.Cache);
        _split = hello.Overlap ? new SplitAttention(_cache, _attention) : null;
        _tensors = new WireTensors(engine);
    }

    /// <summary>Does what frames say until the connection ends.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    /// <exception cref="InvalidDataException">A frame is not valid.</exception>
    public void Run()
    {
        while (_frames.TryRead() is { } frame)
            try
            {
                Take(frame);
            }
            catch (ArgumentException e)
            {
                throw new InvalidDataException($"malformed frame: {frame.Kind}: {e.Message}", e);
            }
    }

    public void Dispose()
    {
        foreach (var pass in _passes)
            pass?.Forget();
        _cache.Dispose();
    }

    private void Take(in Frame frame)
    {
        if (frame.Kind is FrameKind.Clear or FrameKind.Save or FrameKind.Restore or FrameKind.Drop
            or FrameKind.TakeBack or FrameKind.End)
            frame.Expect(frame.Kind, 0);
        switch (frame.Kind)
        {
            case FrameKind.Clear:
                _cache.Clear(frame.First);
                break;
            case FrameKind.Save:
                _saved.Add(frame.Second, _cache.Save(frame.First));
                break;
            case FrameKind.Restore:
                _cache.Restore(Saved(frame.Second), frame.First);
                break;
            case FrameKind.Drop:
                _cache.Drop(Saved(frame.First));
                _saved.Remove(frame.First);
                break;
            case FrameKind.TakeBack:
                if (frame.Second < 1 || frame.Second > _cache.Length(frame.First))
                    throw new ArgumentException($"{frame.Second} of {_cache.Length(frame.First)} tokens stay");
                _cache.TakeBack(frame.First, frame.Second);
                break;
            case FrameKind.Begin:
                Begin(frame);
                break;
            case FrameKind.Query:
                TakeQuery(frame);
                break;
            case FrameKind.KeyValue:
                TakeKeyValue(frame);
                break;
            case FrameKind.End:
                PassOf(frame.First);
                _cache.End(frame.First);
                _passes[frame.First] = null;
                break;
            default:
                throw new InvalidDataException($"malformed frame: kind {(int)frame.Kind}");
        }
    }

    private void Begin(in Frame frame)
    {
        const int Bytes = 3 * sizeof(int);
        if (frame.PayloadBytes < Bytes || frame.PayloadBytes % Bytes != 0
            || frame.PayloadBytes / Bytes > _cache.Sequences)
            throw new InvalidDataException($"malformed frame: rows of {frame.PayloadBytes} bytes");
        if ((uint)frame.First >= (uint)_passes.Length || _passes[frame.First] is not null)
            throw new ArgumentException($"pass {frame.First} cannot begin");
        var numbers = MemoryMarshal.Cast<byte, int>(_frames.ReadPayload(frame.PayloadBytes));
        var rows = new StepRows[numbers.Length / 3];
        int tokens = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new StepRows(numbers[3 * i], numbers[3 * i + 1], numbers[3 * i + 2]);
            if (rows[i].Count < 1)
                throw new ArgumentException($"{rows[i].Count} tokens of a sequence");
            tokens = checked(tokens + rows[i].Count);
        }
        int next = 0;
        foreach (var row in rows.OrderBy(row => row.FirstRow))
            next = row.FirstRow == next ? next + row.Count
                : throw new ArgumentException($"rows {row.FirstRow} and on do not follow row {next}");
        _passes[frame.First] = new Pass(_cache.Begin(rows, frame.First), tokens);
    }

    private void TakeQuery(in Frame frame)
    {
        var pass = PassOf(frame.First);
        if (pass.Query is not null || frame.Second != pass.Layer || pass.Layer == _attention.Patterns.Count)
            throw new ArgumentException($"layer {frame.Second} is not the next one");
        pass.Query = ReadRows(frame, pass, FrameKind.Query, _attention.Patterns[pass.Layer].QueryHeads, 1,
            out long start)[0];
        pass.Earlier = _split?.Begin(pass.Cache, pass.Layer, pass.Query);
        _attention.Engine.Synchronize();
        _busy += Stopwatch.GetElapsedTime(start).Ticks;
    }

    private void TakeKeyValue(in Frame frame)
    {
        var pass = PassOf(frame.First);
        if (pass.Query is not { } query || frame.Second != pass.Layer)
            throw new ArgumentException($"there are no queries of layer {frame.Second}");
        var rows = ReadRows(frame, pass, FrameKind.KeyValue, _attention.Patterns[pass.Layer].KeyValueHeads, 2,
            out long start);
        using Tensor key = rows[0], value = rows[1],
            output = _attention.Engine.Allocate(query.Shape, query.ElementType);
        if (_split is null)
            _cache.Attend(pass.Cache, pass.Layer, query, key, value, output);
        else
            _split.End(pass.Cache, pass.Layer, pass.Earlier, query, key, value, output);
        pass.Earlier = null;
        _attention.Engine.Synchronize();
        Answer(frame, output, start);
        pass.Forget();
        pass.Layer++;
    }

    private void Answer(in Frame frame, Tensor output, long start)
    {
        int bytes = (int)output.Count * output.ElementType.SizeBytes();
        var payload = _frames.Add(FrameKind.Output, frame.First, frame.Second, 2 * sizeof(long) + bytes);
        _tensors.Load(output, payload[(2 * sizeof(long))..]);
        long sending = Stopwatch.GetTimestamp();
        _busy += Stopwatch.GetElapsedTime(start, sending).Ticks;
        BinaryPrimitives.WriteInt64LittleEndian(payload, Environment.CpuUsage.TotalTime.Ticks);
        BinaryPrimitives.WriteInt64LittleEndian(payload[sizeof(long)..], _busy);
        _frames.SendBehind();
        _busy += Stopwatch.GetElapsedTime(sending).Ticks;                         // said with the next answer
    }

    // Tensors [1, T, heads, D], one after the other, and when they were received: taking them from the frame, and
    // putting outputs into one, are work of the worker as the same is work of the model worker.
    private Tensor[] ReadRows(in Frame frame, Pass pass, FrameKind kind, int heads, int count, out long received)
    {
        var shape = new Shape(1, pass.Tokens, heads, _attention.HeadDim);
        int bytes = checked((int)shape.Count * _attention.ActivationType.SizeBytes());
        frame.Expect(kind, checked(count * bytes));
        var payload = _frames.ReadPayload(frame.PayloadBytes);
        received = Stopwatch.GetTimestamp();
        var tensors = new Tensor[count];
        for (int i = 0; i < count; i++)
        {
            tensors[i] = _attention.Engine.Allocate(shape, _attention.ActivationType);
            _tensors.Store(payload.Slice(i * bytes, bytes), tensors[i]);
        }
        return tensors;
    }

    private Pass PassOf(int number) => (uint)number < (uint)_passes.Length && _passes[number] is { } pass ? pass
        : throw new ArgumentException($"pass {number} does not run");

    private SavedSequence Saved(int number) => _saved.TryGetValue(number, out var saved) ? saved
        : throw new ArgumentException($"no pages are saved as {number}");

    // A pass that runs, and how far it is.
    private sealed class Pass(CachePass cache, int tokens)
    {
        public CachePass Cache { get; } = cache;

        public int Tokens { get; } = tokens;

        public int Layer { get; set; }

        public Tensor? Query { get; set; }

        public SplitAttention.Part? Earlier { get; set; }

        public void Forget()
        {
            Query?.Dispose();
            Earlier?.Dispose();
            (Query, Earlier) = (null, null);
        }
    }
}
