using System.Buffers.Binary;

namespace S2ILGPU.Corpora;

/// <summary>Hashes that are the same in every process and on every machine, unlike <see cref="HashCode"/>.</summary>
internal static class StableHash
{
    /// <summary>Mixes a number so that neighbours have nothing in common (the finalizer of SplitMix64).</summary>
    public static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
        value = (value ^ value >> 27) * 0x94D049BB133111EB;
        return value ^ value >> 31;
    }

    public static ulong Combine(ulong a, ulong b) => Mix(Mix(a) ^ b);

    /// <summary>A number from 0 to <paramref name="end"/> exclusive, drawn by a hash.</summary>
    public static long Below(ulong hash, long end) => (long)Math.BigMul(hash, (ulong)end, out _);

    public static ulong OfBytes(ReadOnlySpan<byte> bytes)
    {
        ulong hash = (ulong)bytes.Length;
        while (bytes.Length >= sizeof(ulong))
        {
            hash = Round(hash, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }
        ulong rest = 0;
        foreach (byte b in bytes)
            rest = rest << 8 | b;
        hash = Round(hash, rest);
        return hash ^ hash >> 32;

        static ulong Round(ulong hash, ulong word) =>
            System.Numerics.BitOperations.RotateLeft((hash ^ word) * 0x9E3779B97F4A7C15, 29) * 0xBF58476D1CE4E5B9;
    }
}
