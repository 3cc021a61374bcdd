using System.Net.Sockets;
using System.Text;

namespace S2ILGPU.AttentionWorkers;

/// <summary>Frames over a TCP connection. Frames are added to a buffer and sent together. Not thread-safe.</summary>
/// <param name="socket">The connection, on which no asynchronous call was made; disposed.</param>
/// <remarks>All calls block: the first asynchronous one would make .NET's socket non-blocking for good. Each read then
/// waits for a thread of the runtime that polls, spinning meanwhile, and the other end shares the processor.</remarks>
internal sealed class FrameStream(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private readonly byte[] _header = new byte[Frame.HeaderBytes];
    private byte[] _added = new byte[1 << 16], _sending = new byte[1 << 16], _received = new byte[1 << 16];
    private readonly int _bufferedBytes = socket.SendBufferSize / 4;
    private int _count;
    private Task _sent = Task.CompletedTask;

    /// <summary>Bytes that were sent, headers included.</summary>
    public long SentBytes { get; private set; }

    /// <summary>Bytes that were received, headers included.</summary>
    public long ReceivedBytes { get; private set; }

    /// <summary>How long a read or a write may take; null for any time.</summary>
    public TimeSpan? Timeout
    {
        set => (_stream.ReadTimeout, _stream.WriteTimeout) = value is { } timeout
            ? ((int)timeout.TotalMilliseconds, (int)timeout.TotalMilliseconds)
            : (System.Threading.Timeout.Infinite, System.Threading.Timeout.Infinite);
    }

    /// <summary>Adds a frame whose payload is filled through the result, until the next call.</summary>
    public Span<byte> Add(FrameKind kind, int first = 0, int second = 0, int payloadBytes = 0)
    {
        int start = _count;
        _count += Frame.HeaderBytes + payloadBytes;
        if (_added.Length < _count)
            Array.Resize(ref _added, Math.Max(_count, 2 * _added.Length));
        new Frame(kind, payloadBytes, first, second).Write(_added.AsSpan(start));
        return _added.AsSpan(start + Frame.HeaderBytes, payloadBytes);
    }

    /// <summary>Adds a frame whose payload is a text.</summary>
    public void Add(FrameKind kind, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        bytes.CopyTo(Add(kind, payloadBytes: bytes.Length));
    }

    /// <summary>Sends what was added.</summary>
    public void Send()
    {
        _stream.Write(_added, 0, _count);
        SentBytes += _count;
        _count = 0;
    }

    /// <summary>Sends what was added while the caller goes on: to a reader that first writes, as both ends would wait
    /// for each other otherwise. The system takes a small frame at once; with headers of packets, two of them on their
    /// way are less than its buffer.</summary>
    public void SendBehind()
    {
        WaitForSent();
        if (_count <= _bufferedBytes)
        {
            Send();
            return;
        }
        (_added, _sending) = (_sending, _added);
        int count = _count;
        _sent = Task.Run(() => _stream.Write(_sending, 0, count));
        SentBytes += _count;
        _count = 0;
    }

    /// <summary>Waits for what is sent behind the caller.</summary>
    public void WaitForSent() => _sent.GetAwaiter().GetResult();

    /// <summary>The next frame, whose payload <see cref="ReadPayload"/> must take; null at the end.</summary>
    /// <exception cref="IOException">The connection is lost or timed out.</exception>
    public Frame? TryRead()
    {
        int read = _stream.ReadAtLeast(_header, Frame.HeaderBytes, throwOnEndOfStream: false);
        ReceivedBytes += read;
        return read == Frame.HeaderBytes ? Frame.Read(_header)
            : read == 0 ? null : throw new EndOfStreamException("the connection ended within a frame");
    }

    /// <summary>The next frame.</summary>
    /// <exception cref="IOException">The connection is lost or timed out.</exception>
    public Frame Read() => TryRead() ?? throw new EndOfStreamException("the connection was closed");

    /// <summary>The payload of a frame, until the next one. The caller has checked its length.</summary>
    /// <exception cref="IOException">The connection is lost or timed out.</exception>
    public ReadOnlySpan<byte> ReadPayload(int bytes)
    {
        if (_received.Length < bytes)
            _received = new byte[bytes];
        _stream.ReadExactly(_received, 0, bytes);
        ReceivedBytes += bytes;
        return _received.AsSpan(0, bytes);
    }

    /// <summary>A payload that is a text.</summary>
    /// <exception cref="InvalidDataException">It is too long for one.</exception>
    public string ReadText(int bytes) => bytes is >= 0 and <= 1 << 16 ? Encoding.UTF8.GetString(ReadPayload(bytes))
        : throw new InvalidDataException($"malformed frame: a text of {bytes} bytes");

    public void Dispose() => _stream.Dispose();
}
