using S2ILGPU.TestSupport;

namespace S2ILGPU.Storage;

/// <summary>Damages good files at random, for tests that only documented exceptions come out of a reader.</summary>
internal static class Mutation
{
    // A vocabulary may leave out 2^17 ids, which take some 45 bytes each.
    private const long MostBytes = 8_000_000;

    private static readonly string[] Scraps =
    [
        "\"", "{", "}", "[", "]", ",", ":", "-1", "0", "1e9", "9223372036854775807", "18446744073709551616",
        "null", "true",
        "\\ud800", "\\u0000", "\0", "\n", " ", "\uFEFF", "é", "x",
    ];

    /// <summary>Feeds damaged copies of the samples to <paramref name="read"/>.</summary>
    /// <param name="samples">Good files.</param>
    /// <param name="read">Reads one; returns normally, or throws what its documentation says.</param>
    /// <param name="isDocumented">Whether an exception may come out.</param>
    public static void Fuzz(IReadOnlyList<byte[]> samples, Action<byte[]> read, Func<Exception, bool> isDocumented)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        int trials = TestScale.IsFull ? 100_000 : 2000;
        for (int trial = 0; trial < trials; trial++)
        {
            byte[] damaged = Damage(samples[random.Next(samples.Count)], random);
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(damaged);
            }
            catch (Exception e) when (isDocumented(e))
            {
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(
                    $"seed {seed}, trial {trial}: {Convert.ToBase64String(damaged)}", e);
            }
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            if (allocated > MostBytes + 400L * damaged.Length)
                throw new InvalidOperationException(
                    $"seed {seed}, trial {trial}: {damaged.Length} bytes of input took {allocated} bytes of memory");
        }
    }

    private static byte[] Damage(byte[] good, Random random)
    {
        var bytes = new List<byte>(good);
        if (random.Next(20) == 0)
        {
            bytes = [.. new byte[random.Next(300)]];
            for (int i = 0; i < bytes.Count; i++)
                bytes[i] = (byte)random.Next(256);
        }
        for (int changes = 1 + random.Next(4); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = random.Next(bytes.Count), length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length)); break;
                case 4: bytes.RemoveRange(at, bytes.Count - at); break;
                default: bytes.InsertRange(at, System.Text.Encoding.UTF8.GetBytes(Scraps[random.Next(Scraps.Length)]));
                    break;
            }
        }
        return bytes.ToArray();
    }
}
