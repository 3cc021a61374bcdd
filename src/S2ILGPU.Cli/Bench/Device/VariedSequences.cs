using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>The sequences of one call after the other: from a little shorter than the longest up to it, and again from
/// there.</summary>
/// <param name="longest">The longest.</param>
/// <param name="count">How many lengths there are; 1 for always the longest.</param>
/// <param name="create">The sequences of a length.</param>
internal sealed class VariedSequences(int longest, int count, Func<int, SequenceBatch> create)
{
    /// <summary>More lengths than an engine keeps plans for.</summary>
    public const int Lengths = 61;

    private readonly SequenceBatch[] _batches =
        [.. Enumerable.Range(longest - count + 1, count).Select(tokens => create(Math.Max(1, tokens)))];
    private int _calls;

    /// <summary>The sequences of the next call.</summary>
    public SequenceBatch Next() => _batches[_calls++ % count];
}
