using System.Runtime.ExceptionServices;
using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Memory;

namespace S2ILGPU.Distributed;

/// <summary>Ranks that are threads of this process: no launcher and no library are needed.</summary>
public static class MemoryRanks
{
    /// <summary>The longest that a rank waits for a message unless said otherwise: time enough for a checkpoint of
    /// another rank.</summary>
    public static TimeSpan DefaultDeadline { get; } = TimeSpan.FromMinutes(10);

    /// <summary>Runs a program on several ranks, each a thread, and waits for all.</summary>
    /// <param name="size">Number of ranks, at least 1.</param>
    /// <param name="body">The program of a rank. Its exception ends the other ranks where they wait.</param>
    /// <param name="deadline">The longest that a rank waits for a message; null for <see
    /// cref="DefaultDeadline"/>.</param>
    /// <exception cref="RankFailedException">A rank threw; its exception is the inner one.</exception>
    /// <exception cref="RanksDifferException">The ranks were set up differently.</exception>
    /// <exception cref="OperationCanceledException">All ranks were cancelled.</exception>
    public static void Run(int size, Action<RankConnection> body, TimeSpan? deadline = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentNullException.ThrowIfNull(body);
        var mailboxes = new Mailboxes(size, deadline ?? DefaultDeadline);
        var exceptions = new Exception?[size];
        int[] members = [.. Enumerable.Range(0, size)];
        var threads = members.Select(rank => new Thread(() => RunRank(rank)) { IsBackground = true,
            Name = $"S2 rank {rank}" }).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        if (exceptions.FirstOrDefault(IsCommon) is { } common)
            ExceptionDispatchInfo.Throw(common);
        if (mailboxes.Failure is { } failure)
            throw failure;

        void RunRank(int rank)
        {
            try
            {
                body(new RankConnection(new MemoryTransport(mailboxes, 0, members, rank)));
                mailboxes.End(rank);
            }
            catch (Exception exception)
            {
                exceptions[rank] = exception;
                mailboxes.Fail(rank, exception); // ends the others, and is thrown to the caller
            }
        }
    }

    // What the caller gets as it is. Threads share the caller's token, so one that is cancelled speaks for all.
    private static bool IsCommon(Exception? exception) =>
        exception is RanksDifferException or OperationCanceledException;
}
