using System.Buffers.Binary;
using System.IO.Compression;

namespace S2ILGPU.Cli.Drawing;

/// <summary>Writes PNG files: 8 bits per channel, RGB.</summary>
internal static class Png
{
    private const int BytesPerPixel = 3;

    private static readonly uint[] s_crcTable = MakeCrcTable();

    /// <summary>Writes one picture.</summary>
    /// <param name="stream">Receives the file.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="rgb">[height, width, 3] bytes.</param>
    public static void Write(Stream stream, int width, int height, ReadOnlySpan<byte> rgb)
    {
        stream.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        // bits per channel, RGB, deflate, adaptive filters, not interlaced
        (header[8], header[9], header[10], header[11], header[12]) = (8, 2, 0, 0, 0);
        WriteChunk(stream, "IHDR"u8, header);
        WriteChunk(stream, "IDAT"u8, Compress(width, height, rgb));
        WriteChunk(stream, "IEND"u8, []);
    }

    // Every line is stored as its difference to the line above (filter 2): block patterns repeat from line to line.
    private static byte[] Compress(int width, int height, ReadOnlySpan<byte> rgb)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            int stride = width * BytesPerPixel;
            var line = new byte[1 + stride];
            line[0] = 2;
            for (int y = 0; y < height; y++)
            {
                var current = rgb.Slice(y * stride, stride);
                for (int i = 0; i < stride; i++)
                    line[1 + i] = (byte)(current[i] - (y == 0 ? 0 : rgb[(y - 1) * stride + i]));
                zlib.Write(line);
            }
        }
        return compressed.ToArray();
    }

    private static void WriteChunk(Stream stream, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        stream.Write(number);
        stream.Write(type);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(data, Crc(type, uint.MaxValue)));
        stream.Write(number);
    }

    private static uint Crc(ReadOnlySpan<byte> data, uint crc)
    {
        foreach (byte value in data)
            crc = s_crcTable[(byte)(crc ^ value)] ^ crc >> 8;
        return crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint remainder = i;
            for (int bit = 0; bit < 8; bit++)
                remainder = (remainder & 1) != 0 ? 0xedb88320 ^ remainder >> 1 : remainder >> 1;
            table[i] = remainder;
        }
        return table;
    }
}
