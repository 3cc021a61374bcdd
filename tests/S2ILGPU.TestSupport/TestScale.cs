using System.Collections.Concurrent;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>How much of its sweeps a run of the tests takes: a few cases of each, drawn by the seed of the run, or all
/// with the environment variable <c>S2_TESTS=full</c>.</summary>
public static class TestScale
{
    private static readonly ConcurrentDictionary<string, (int Taken, int Total)> s_sweeps = [];
    private static readonly ConcurrentDictionary<string, int> s_shares = [];

    /// <summary>Whether all cases of all sweeps run.</summary>
    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("S2_TESTS") switch
    {
        null or "" => false,
        "full" => true,
        var other => throw new ArgumentException($"S2_TESTS must be 'full' or not set, got '{other}'"),
    };

    /// <summary>What the sweeps of this run leave out.</summary>
    public static string Report
    {
        get
        {
            var sweeps = s_sweeps.Where(s => s.Value.Taken < s.Value.Total).OrderBy(s => s.Key, StringComparer.Ordinal);
            return $"S2_TESTS=full runs {s_sweeps.Values.Sum(s => s.Total)} cases of sweeps, this run "
                + $"{s_sweeps.Values.Sum(s => s.Taken)}: "
                + string.Join(", ", sweeps.Select(s => $"{s.Key} {s.Value.Taken} of {s.Value.Total}")
                .Concat(s_shares.Select(s => $"{s.Key} about 1 of {s.Value}")));
        }
    }

    /// <summary>The cases of a sweep that this run takes, in their order.</summary>
    /// <param name="sweep">Its name, for the report.</param>
    /// <param name="cases">All of them.</param>
    /// <param name="count">How many a plain run takes.</param>
    public static T[] Sample<T>(string sweep, IEnumerable<T> cases, int count)
    {
        T[] all = [.. cases];
        T[] taken = IsFull ? all : Draw(all, count);
        s_sweeps[sweep] = (taken.Length, all.Length);
        return taken;
    }

    /// <summary>The same, where a plain run takes so many of each kind.</summary>
    public static T[] Sample<T, TKind>(string sweep, IEnumerable<T> cases, Func<T, TKind> kind, int count)
    {
        T[] all = [.. cases];
        T[] taken = IsFull ? all : [.. all.GroupBy(kind).SelectMany(group => Draw([.. group], count))];
        s_sweeps[sweep] = (taken.Length, all.Length);
        return taken;
    }

    /// <summary>Of how many cases a plain run takes one, where a test draws while it runs.</summary>
    public static int OneOf(string sweep, int cases) => IsFull ? 1 : s_shares[sweep] = cases;

    /// <summary>Whether the present test is one of those that the seed draws, 1 of so many.</summary>
    public static bool Takes(int tests)
    {
        uint hash = (uint)Seeds.Current;
        foreach (char c in tests == 1 ? "" : TestContext.Current.Test?.TestDisplayName ?? "")
            hash = (hash ^ c) * 16777619;
        return hash % (uint)tests == 0 || tests == 1;
    }

    /// <summary>Skips the present test unless it is one of those that the seed draws, 1 of so many.</summary>
    public static void SkipUnlessDrawn(int tests) => Assert.SkipUnless(IsFull || Takes(tests),
        $"this run takes 1 of {tests} of these tests, S2_TESTS=full takes all");

    /// <summary>Some of the parts that one case consists of; nothing is reported.</summary>
    public static T[] Part<T>(IEnumerable<T> parts, int count) => IsFull ? [.. parts] : Draw([.. parts], count);

    private static T[] Draw<T>(T[] all, int count)
    {
        int[] order = [.. Enumerable.Range(0, all.Length)];
        Seeds.NewRandom().Shuffle(order);
        return [.. order.Take(count).Order().Select(n => all[n])];
    }
}
