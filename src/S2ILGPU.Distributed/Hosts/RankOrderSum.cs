using System.Numerics;
using System.Runtime.InteropServices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

/// <summary><c>((x_0 + x_1) + x_2) + ...</c> over the vectors of the ranks: one order, so the same bits
/// everywhere.</summary>
internal static class RankOrderSum
{
    /// <summary>Sums vectors that lie one after the other.</summary>
    /// <param name="elementType">Float32, BFloat16 (summed in single precision, rounded once) or Int32
    /// (wraps).</param>
    /// <param name="parts">The vectors.</param>
    /// <param name="ranks">Number of vectors.</param>
    /// <param name="count">Elements of each.</param>
    /// <param name="sum">Receives the sum; not in <paramref name="parts"/>.</param>
    /// <param name="offsetBytes">Where in <paramref name="sum"/>.</param>
    public static void Run(ElementType elementType, HostMemory parts, int ranks, long count, HostMemory sum,
        long offsetBytes)
    {
        if (elementType == ElementType.BFloat16)
        {
            Sum(parts.Span<ushort>(0, ranks * count), sum.Span<ushort>(offsetBytes, count));
            return;
        }
        if (elementType == ElementType.Int32)
            Sum(parts.Span<int>(0, ranks * count), sum.Span<int>(offsetBytes, count));
        else
            Sum(parts.Span<float>(0, ranks * count), sum.Span<float>(offsetBytes, count));
    }

    private static void Sum<T>(ReadOnlySpan<T> parts, Span<T> sum) where T : unmanaged, IAdditionOperators<T, T, T>
    {
        parts[..sum.Length].CopyTo(sum);
        for (int start = sum.Length; start < parts.Length; start += sum.Length)
        {
            var part = parts.Slice(start, sum.Length);
            var sums = MemoryMarshal.Cast<T, Vector<T>>(sum);
            var vectors = MemoryMarshal.Cast<T, Vector<T>>(part);
            for (int i = 0; i < sums.Length; i++)
                sums[i] += vectors[i];
            for (int i = sums.Length * Vector<T>.Count; i < sum.Length; i++)
                sum[i] = unchecked(sum[i] + part[i]);
        }
    }

    private static void Sum(ReadOnlySpan<ushort> parts, Span<ushort> sum)
    {
        for (int i = 0; i < sum.Length; i++)
        {
            float value = BFloat16Bits.Widen(parts[i]);
            for (int at = i + sum.Length; at < parts.Length; at += sum.Length)
                value += BFloat16Bits.Widen(parts[at]);
            sum[i] = BFloat16Bits.Round(value);
        }
    }
}
