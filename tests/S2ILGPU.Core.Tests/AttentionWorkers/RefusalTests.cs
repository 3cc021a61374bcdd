using System.Net.Sockets;
using System.Text;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Core.Tests.Scheduling;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.AttentionWorkers;

/// <summary>Wrong configurations, versions, addresses and frames: one line each, and the worker goes on.</summary>
public sealed class RefusalTests : IDisposable
{
    private static readonly KeyValueCacheOptions s_cache = new() { Sequences = 2 };

    private readonly ServedModel _served = new();
    private readonly WorkerHost _worker = new();

    public void Dispose()
    {
        _worker.Dispose();
        _served.Dispose();
    }

    [Fact]
    public void Workers_must_divide_the_heads_and_have_one_name_each()
    {
        string Message(params string[] addresses) => Assert.Throws<ArgumentException>(() => Connect(addresses)).Message;
        Assert.Equal("3 attention workers cannot share 2 key/value heads: each needs as many whole ones",
            Message("a:1", "b:1", "c:1"));
        Assert.Equal("attention worker a:1 is named 2 times", Message("a:1", "a:1"));
        Assert.Equal("an attention worker is named HOST:PORT, got 'a'", Message("a"));
        Assert.Equal("an attention worker is named HOST:PORT, got 'a:65536'", Message("a:65536"));
        Assert.Equal("Addresses must name at least one attention worker", Message());
    }

    [Fact]
    public void Sampled_attention_is_refused_by_name()
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        using var model = new TransformerModel(engine, TinyModels.Config(TinyModels.Dense))
        {
            SampleAttention = new SampleAttentionOptions(),
        };
        Assert.Contains("leave sampled attention or the workers out", Assert.Throws<ArgumentException>(() =>
            new RemoteAttention(model, s_cache, new AttentionWorkerOptions { Addresses = ["a:1"] })).Message);
    }

    [Fact]
    public void An_unreachable_worker_is_named()
    {
        string address = _worker.Address;
        _worker.Dispose();
        Assert.StartsWith($"attention worker {address}: ", Refusal(address));
        Assert.StartsWith("attention worker no.such.name.invalid:1: ", Refusal("no.such.name.invalid:1"));
    }

    [Fact]
    public async Task A_second_model_worker_is_refused_by_name_and_may_come_later()
    {
        using (Connect(_worker.Address))
            Assert.StartsWith($"attention worker {_worker.Address}: it serves the model worker at 127.0.0.1:",
                Refusal(_worker.Address));
        await _worker.SaysAsync("is gone");
        Connect(_worker.Address).Dispose();
    }

    [Fact]
    public void Another_version_configuration_or_fingerprint_is_refused()
    {
        byte[] hello = Hello().Write("0123456789abcdef");
        Assert.StartsWith("the configuration is understood differently here: fingerprint ", Answer(hello));
        hello[1 + "S2 attention".Length]++;
        Assert.Equal("the model worker speaks version 2, this one 1", Answer(hello));
        Assert.StartsWith("the configuration of the model worker: ",
            Answer((Hello() with { Config = "{}" }).Write("")));
        Assert.StartsWith("key/value heads 1 and on, 2 of them, are not some of the 2",
            Answer((Hello() with { FirstHead = 1 }).Write("")));
        Assert.Contains("computes no attention of Int32",
            Answer((Hello() with { ActivationType = ElementType.Int32 }).Write("")));
        Assert.StartsWith("malformed frame: element type 99",
            Answer((Hello() with { CacheType = (ElementType)99 }).Write("")));
        Connect(_worker.Address).Dispose();
    }

    [Fact]
    public async Task What_is_no_model_worker_is_refused()
    {
        foreach (byte[] bytes in (byte[][])["GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), new byte[64],
            [.. Enumerable.Range(0, 64).Select(_ => (byte)_served.Random.Next(256))]])
        {
            using var client = new TcpClient("127.0.0.1", _worker.Port);
            await client.GetStream().WriteAsync(bytes, TestContext.Current.CancellationToken);
            Assert.EndsWith("not a model worker", await _worker.SaysAsync("refused"));
            _worker.Lines.Clear();
        }
        using (var half = new TcpClient("127.0.0.1", _worker.Port))
            await half.GetStream().WriteAsync(new byte[5], TestContext.Current.CancellationToken);
        await _worker.SaysAsync("the connection ended within a frame");
        Connect(_worker.Address).Dispose();
    }

    [Fact]
    public async Task Malformed_frames_end_the_connection_with_one_line()
    {
        int block = 4 * _served.Model.Config.HeadDim * sizeof(float);             // queries of a token
        foreach (var (frames, why) in (((FrameKind Kind, int First, int Second, byte[] Payload)[] Frames, string Why)[])
            [
                ([((FrameKind)77, 0, 0, [])], "malformed frame: kind 77"),
                ([(FrameKind.Welcome, 0, 0, [])], "malformed frame: kind 64"),
                ([(FrameKind.Clear, 0, 0, [1])], "malformed frame: kind 2 with 1 bytes, expected Clear with 0"),
                ([(FrameKind.Clear, 2, 0, [])], "malformed frame: Clear: sequence 2 of 2 sequences"),
                ([(FrameKind.Restore, 0, 9, [])], "malformed frame: Restore: no pages are saved as 9"),
                ([(FrameKind.Save, 0, 1, []), (FrameKind.Save, 0, 1, [])], "malformed frame: Save: "),
                ([(FrameKind.TakeBack, 0, 3, [])], "malformed frame: TakeBack: 3 of 0 tokens stay"),
                ([(FrameKind.Begin, 0, 0, [1, 2])], "malformed frame: rows of 2 bytes"),
                ([(FrameKind.Begin, 2, 0, Rows(0, 0, 1))], "malformed frame: Begin: pass 2 cannot begin"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 0, 0))], "malformed frame: Begin: 0 tokens of a sequence"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 1, 1))], "malformed frame: Begin: rows 1 and on do not follow row 0"),
                ([(FrameKind.Begin, 0, 0, Rows(5, 0, 1))], "malformed frame: Begin: sequence 5 of 2 sequences"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 0, 900))],
                    "malformed frame: Begin: sequence 0 has 0 tokens, 900 more"),
                ([(FrameKind.Query, 0, 0, new byte[block])], "malformed frame: Query: pass 0 does not run"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 0, 1)), (FrameKind.Query, 0, 1, new byte[block])],
                    "malformed frame: Query: layer 1 is not the next one"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 0, 1)), (FrameKind.Query, 0, 0, new byte[block - 4])],
                    $"malformed frame: kind 8 with {block - 4} bytes, expected Query with {block}"),
                ([(FrameKind.Begin, 0, 0, Rows(0, 0, 1)), (FrameKind.KeyValue, 0, 0, new byte[block])],
                    "malformed frame: KeyValue: there are no queries of layer 0"),
                ([(FrameKind.Hello, 0, 0, [])], "malformed frame: kind 1"),
            ])
        {
            using var stream = Open();
            foreach (var (kind, first, second, payload) in frames)
                payload.CopyTo(stream.Add(kind, first, second, payload.Length));
            stream.Send();
            var answer = stream.Read();
            Assert.Equal(FrameKind.Failed, answer.Kind);
            Assert.StartsWith(why, stream.ReadText(answer.PayloadBytes));
            Assert.Null(stream.TryRead());
            await _worker.SaysAsync("is gone");
            _worker.Lines.Clear();
        }
        Connect(_worker.Address).Dispose();
    }

    private static byte[] Rows(params int[] numbers) => [.. numbers.SelectMany(BitConverter.GetBytes)];

    private RemoteAttention Connect(params string[] addresses) =>
        new(_served.Model, s_cache, new AttentionWorkerOptions { Addresses = addresses });

    private string Refusal(string address) => Assert.Throws<IOException>(() => Connect(address)).Message;

    private Hello Hello() => new(TransformerConfigFile.Format(_served.Model.Config), 0, 2, ElementType.Float32,
        ElementType.Float32, 2, 100, true);

    // A connection that is accepted.
    private FrameStream Open()
    {
        var hello = Hello();
        string fingerprint = hello.Fingerprint(new AttentionLayers(_served.Model.Engine, _served.Model.Config,
            hello.QueryHeads(_served.Model.Config), ElementType.Float32));
        var stream = Send(hello.Write(fingerprint));
        stream.Read().Expect(FrameKind.Welcome, 0);
        return stream;
    }

    // Why a hello is refused.
    private string Answer(byte[] hello)
    {
        using var stream = Send(hello);
        var answer = stream.Read();
        Assert.Equal(FrameKind.Refused, answer.Kind);
        return stream.ReadText(answer.PayloadBytes);
    }

    private FrameStream Send(byte[] hello)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect("127.0.0.1", _worker.Port);
        var stream = new FrameStream(socket);
        hello.CopyTo(stream.Add(FrameKind.Hello, payloadBytes: hello.Length));
        stream.Send();
        return stream;
    }
}
