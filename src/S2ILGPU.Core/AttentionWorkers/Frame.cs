using System.Buffers.Binary;

namespace S2ILGPU.AttentionWorkers;

/// <summary>What a frame says. The two numbers of a frame are in brackets.</summary>
internal enum FrameKind
{
    /// <summary>The first frame: a <see cref="Hello"/>.</summary>
    Hello = 1,

    /// <summary>Forgets [sequence].</summary>
    Clear,

    /// <summary>Shares the pages of [sequence] under [number].</summary>
    Save,

    /// <summary>Lets [sequence] continue from [number].</summary>
    Restore,

    /// <summary>Gives [number] back.</summary>
    Drop,

    /// <summary>Takes tokens of [sequence] back, down to [length].</summary>
    TakeBack,

    /// <summary>Begins [pass] over rows: sequence, first row, count of each as Int32.</summary>
    Begin,

    /// <summary>Queries of [pass], [layer].</summary>
    Query,

    /// <summary>Keys, then values of [pass], [layer]; answered with <see cref="Output"/>.</summary>
    KeyValue,

    /// <summary>Ends [pass].</summary>
    End,

    /// <summary>The answer to a hello that is accepted.</summary>
    Welcome = 64,

    /// <summary>The answer to one that is not, with the reason.</summary>
    Refused,

    /// <summary>CPU and computing time of the worker in ticks as Int64, then outputs of [pass], [layer].</summary>
    Output,

    /// <summary>The worker failed, with the reason; the connection ends.</summary>
    Failed,
}

/// <summary>The 16 bytes before the payload of a frame, little-endian.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="PayloadBytes">Bytes that follow.</param>
/// <param name="First">Its first number.</param>
/// <param name="Second">Its second number.</param>
internal readonly record struct Frame(FrameKind Kind, int PayloadBytes, int First, int Second)
{
    public const int HeaderBytes = 16;

    public void Write(Span<byte> header)
    {
        BinaryPrimitives.WriteInt32LittleEndian(header, (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], PayloadBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], First);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Second);
    }

    public static Frame Read(ReadOnlySpan<byte> header) => new(
        (FrameKind)BinaryPrimitives.ReadInt32LittleEndian(header),
        BinaryPrimitives.ReadInt32LittleEndian(header[4..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[12..]));

    /// <summary>Refuses another kind or length than the only right one.</summary>
    /// <exception cref="InvalidDataException">It is not that.</exception>
    public void Expect(FrameKind kind, int payloadBytes)
    {
        if (Kind != kind || PayloadBytes != payloadBytes)
            throw new InvalidDataException($"malformed frame: kind {(int)Kind} with {PayloadBytes} bytes, expected "
                + $"{kind} with {payloadBytes}");
    }
}
