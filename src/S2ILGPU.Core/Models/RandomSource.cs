using System.Numerics;

namespace S2ILGPU.Models;

/// <summary>A small random generator that gives the same bits on every platform: xoshiro256**, seeded through
/// splitmix64.</summary>
/// <remarks>Not for secrets. Normal values use only additions, multiplications, divisions and square roots, which IEEE
/// arithmetic rounds alike everywhere; the logarithm of a C library does not.</remarks>
/// <seealso href="https://prng.di.unimi.it">Blackman and Vigna, Scrambled linear pseudorandom number
/// generators</seealso>
public sealed class RandomSource
{
    private ulong _s0, _s1, _s2, _s3;
    private double? _spare;

    /// <summary>Starts a stream.</summary>
    /// <param name="seed">Any value.</param>
    /// <param name="stream">Name of an independent stream of the seed, as the parameter that it fills.</param>
    public RandomSource(ulong seed, string stream = "")
    {
        ulong state = seed;
        foreach (char c in stream)
            state = (state ^ c) * 0x9E3779B97F4A7C15 + BitOperations.RotateLeft(state, 29);
        (_s0, _s1, _s2, _s3) = (SplitMix(ref state), SplitMix(ref state), SplitMix(ref state), SplitMix(ref state));
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9, t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>A value in [0, 1) with 53 random bits.</summary>
    public double NextUniform() => (NextBits() >> 11) * (1.0 / (1L << 53));

    /// <summary>An integer in [0, end), every value equally likely.</summary>
    /// <param name="end">At least 1.</param>
    /// <exception cref="ArgumentException"><paramref name="end"/> is below 1.</exception>
    public int NextInteger(int end)
    {
        if (end < 1)
            throw new ArgumentException($"the end of a range of random integers must be at least 1, got {end}");
        // Lemire: the low half below 2^32 mod end would favour some values
        uint range = (uint)end, reject = (0u - range) % range;
        while (true)
        {
            ulong product = (NextBits() >> 32) * range;
            if ((uint)product >= reject)
                return (int)(product >> 32);
        }
    }

    /// <summary>A value N(0, 1): Box and Muller in Marsaglia's polar form.</summary>
    public double NextNormal()
    {
        if (_spare is { } spare)
        {
            _spare = null;
            return spare;
        }
        double x, y, square;
        do
        {
            (x, y) = (2 * NextUniform() - 1, 2 * NextUniform() - 1);
            square = x * x + y * y;
        }
        while (square is >= 1 or 0);
        double factor = Math.Sqrt(-2 * NaturalLogarithm(square) / square);
        _spare = y * factor;
        return x * factor;
    }

    /// <summary>Fills with N(0, deviation^2), rounded to single precision.</summary>
    /// <param name="values">Receives the values.</param>
    /// <param name="deviation">Standard deviation.</param>
    public void FillNormal(Span<float> values, double deviation)
    {
        foreach (ref float value in values)
            value = (float)(deviation * NextNormal());
    }

    // ln x for a normal x in (0, 1): x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m - 1) / (m + 1)).
    internal static double NaturalLogarithm(double x)
    {
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)(bits >> 52) - 1023;
        double m = BitConverter.Int64BitsToDouble((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
        if (m > 1.4142135623730951)
        {
            m *= 0.5;
            exponent++;
        }
        double z = (m - 1) / (m + 1), z2 = z * z, sum = 0;
        for (int k = 21; k >= 1; k -= 2) // |z| < 0.172: z^22 / 23 is below 1e-17
            sum = sum * z2 + 1.0 / k;
        return 2 * z * sum + exponent * 0.6931471805599453;
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
