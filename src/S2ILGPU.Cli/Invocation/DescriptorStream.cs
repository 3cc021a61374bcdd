using System.Runtime.InteropServices;

namespace S2ILGPU.Cli.Invocation;

/// <summary>Standard output or error that notices when its reader has gone away (<c>| head</c>, a closed terminal).
/// From then on it drops what is written, so that a command can save its work and end.</summary>
/// <remarks>The console's own stream drops it too, but without a sign, and the command would run to its end.</remarks>
/// <param name="descriptor">The file descriptor; not closed.</param>
/// <param name="readerLeft">Called once.</param>
internal sealed class DescriptorStream(int descriptor, Action readerLeft) : Stream
{
    // EINTR, EIO, EBADF, EPIPE
    private const int Interrupted = 4, InputOutputError = 5, BadDescriptor = 9, BrokenPipe = 32;

    private bool _isClosed;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty && !_isClosed)
        {
            nint written = Descriptor.Write(descriptor, buffer);
            if (written >= 0)
                buffer = buffer[(int)written..];
            else
                Explain(Marshal.GetLastPInvokeError());
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Explain(int error)
    {
        if (error == Interrupted)
            return;
        if (error == (OperatingSystem.IsMacOS() ? 35 : 11)) // EAGAIN: the other end set the pipe to non-blocking
        {
            Thread.Sleep(1);
            return;
        }
        if (error is not (InputOutputError or BadDescriptor or BrokenPipe))
            throw new IOException($"standard output: {Marshal.GetPInvokeErrorMessage(error).ToLowerInvariant()}");
        _isClosed = true;
        readerLeft();
    }
}
