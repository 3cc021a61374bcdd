namespace S2ILGPU.Scheduling;

/// <summary>When a scheduler may ask for pages of others again.</summary>
/// <remarks>Instances that reserve each other's pages at the same time all fail: a conflict. As each waits a random
/// time, up to twice as long after every conflict, one comes first in the end.</remarks>
/// <param name="time">The clock.</param>
/// <param name="random">Draws the time after a conflict.</param>
internal sealed class BorrowingPause(TimeProvider time, Random random)
{
    /// <summary>Time between two questions, and half of what the first conflict costs at most.</summary>
    public static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    /// <summary>Conflicts after which the time grows no more.</summary>
    public const int MostDoublings = 8;

    private long? _begin;                                                         // null before the first
    private TimeSpan _length;
    private int _conflicts;                                                       // since something was borrowed

    /// <summary>Whether the scheduler may ask.</summary>
    public bool IsOver => _begin is not { } begin || time.GetElapsedTime(begin) >= _length;

    /// <summary>Begins a short pause: there were not enough pages, or they were lost.</summary>
    public void Begin() => Begin(Short);

    /// <summary>Begins a random pause: what was reserved cannot be used.</summary>
    public void BeginAfterConflict() =>
        Begin(Short * (2 * random.NextDouble() * (1 << Math.Min(_conflicts++, MostDoublings))));

    /// <summary>Forgets the conflicts: something was borrowed.</summary>
    public void ForgetConflicts() => _conflicts = 0;

    private void Begin(TimeSpan length) => (_begin, _length) = (time.GetTimestamp(), length);
}
