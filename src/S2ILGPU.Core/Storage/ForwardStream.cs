namespace S2ILGPU.Storage;

/// <summary>Writes front to back, buffers and counts: what all targets can, pipes included.</summary>
/// <param name="target">Receives the bytes, unbuffered; not disposed.</param>
/// <param name="path">Its name in messages.</param>
internal sealed class ForwardStream(FileStream target, string path) : Stream
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _buffered;
    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _written;

    /// <summary>Bytes written so far.</summary>
    public override long Position
    {
        get => _written;
        set => throw new NotSupportedException("a file is written front to back");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > _buffer.Length - _buffered)
            Flush();
        if (buffer.Length >= _buffer.Length)
            Send(buffer);
        else
        {
            buffer.CopyTo(_buffer.AsSpan(_buffered));
            _buffered += buffer.Length;
        }
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write([value]);

    public override void Flush()
    {
        if (_buffered > 0)
            Send(_buffer.AsSpan(0, _buffered));
        _buffered = 0;
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("a file that is being written cannot be read");

    public override long Seek(long offset, SeekOrigin origin) =>
        throw new NotSupportedException("a file is written front to back");

    public override void SetLength(long value) => throw new NotSupportedException("a file is written front to back");

    private void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            target.Write(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileErrors.Explain(path, "written", e);
        }
    }
}
