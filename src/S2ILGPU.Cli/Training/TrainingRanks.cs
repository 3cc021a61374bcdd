using S2ILGPU.Cli.Invocation;
using S2ILGPU.Collectives;
using S2ILGPU.Distributed;

namespace S2ILGPU.Cli.Training;

/// <summary>One invocation of <c>s2 train</c>: a process of an MPI launcher is a rank, otherwise ranks are
/// threads.</summary>
internal sealed class TrainingRanks(TrainingRequest request, TextWriter output, TextWriter error)
{
    // Ranks often fail alike: the first one then says it for all, because its end ends them.
    private static readonly TimeSpan s_headStart = TimeSpan.FromSeconds(1.5);

    /// <summary>Trains to the end.</summary>
    /// <returns>The exit code.</returns>
    public int Run(CancellationToken cancellation)
    {
        if (MpiRanks.IsLaunched)
            return RunProcess(cancellation);
        int threads = RankGrid.Threads(request);
        var text = new TrainingText(output);
        if (threads == 1)
            RunRank(null, text, cancellation);
        else
            MemoryRanks.Run(threads, rank => RunRank(rank, text, cancellation), request.RankTimeout);
        return 0;
    }

    private int RunProcess(CancellationToken cancellation)
    {
        if (request.Ranks is not null)
            throw new ArgumentException("--ranks starts threads; an MPI launcher has started the ranks of this run");
        int? own = null; // until MPI has said it
        try
        {
            MpiRanks.Run(rank =>
            {
                own = rank.Rank;
                RunRank(rank, new TrainingText(own == 0 ? output : TextWriter.Null), cancellation);
            }, exception => Report(own, exception), request.RankTimeout);
        }
        catch (Exception exception) when (own > 0
            && exception is (RanksDifferException or OperationCanceledException))
        {
            return 0; // rank 0 says it
        }
        return 0;
    }

    private int Report(int? rank, Exception exception)
    {
        if (rank > 0)
            Thread.Sleep(s_headStart);
        // A cancellation of all ranks does not come here: they agree about it after each step.
        var failure = exception is OperationCanceledException
            ? new Failure(Failure.Failed, "interrupted before the first step") : Failure.Of(exception);
        error.WriteLine($"error: {(rank is null ? "" : $"rank {rank}: ")}{Failure.OneLine(failure.Message)}");
        error.Flush();
        return failure.ExitCode;
    }

    private void RunRank(RankConnection? rank, TrainingText text, CancellationToken cancellation)
    {
        bool leads = rank is null or { Rank: 0 };
        new TrainingRun(request, rank, text, leads ? output : TextWriter.Null, leads ? error : TextWriter.Null)
            .Run(cancellation);
    }
}
