using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Mpi;

namespace S2ILGPU.Distributed;

/// <summary>Ranks that are processes started by an MPI launcher: <c>mpirun -n 2 PROGRAM</c> of Open MPI 4 or 5, or of
/// MPICH.</summary>
public static class MpiRanks
{
    /// <summary>Whether this process was started by an MPI launcher. Loads nothing.</summary>
    public static bool IsLaunched => MpiLauncher.IsLaunched;

    /// <summary>Number of this process among those of the launcher on its machine, for the choice of a device; null
    /// where there is no launcher, or it does not say.</summary>
    public static int? LocalRank => IsLaunched ? MpiLauncher.LocalRank : null;

    /// <summary>Loads the MPI library and runs the program of this rank; once per process.</summary>
    /// <param name="body">The program of the rank.</param>
    /// <param name="failed">Told of the exception of this rank before the launcher ends all processes; returns the
    /// exit code of the run. Null for 1 without a word. A rank that waits in a call of MPI itself for too long tells it
    /// on another thread, and is killed then.</param>
    /// <param name="deadline">The longest that a rank waits for another one: for a message, at the start, when groups
    /// are made, and at the end. Null for <see cref="MemoryRanks.DefaultDeadline"/>.</param>
    /// <exception cref="DllNotFoundException">There is no MPI library.</exception>
    /// <exception cref="NotSupportedException">The library cannot be called from threads.</exception>
    /// <exception cref="RanksDifferException">The ranks were set up differently.</exception>
    /// <exception cref="OperationCanceledException">All ranks have stopped together: <see
    /// cref="RanksCancelledException"/>, or an exception with it as the inner one. A rank of several that throws
    /// another one has failed, because the others wait for it.</exception>
    public static void Run(Action<RankConnection> body, Func<Exception, int>? failed = null, TimeSpan? deadline = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        Run(body, failed, MpiDeadlines.Of(deadline ?? MemoryRanks.DefaultDeadline));
    }

    /// <summary>The same with a deadline for each kind of wait.</summary>
    internal static void Run(Action<RankConnection> body, Func<Exception, int>? failed, MpiDeadlines deadlines)
    {
        var library = MpiLibrary.Load(MpiLauncher.Libraries, new MpiWatch(deadlines, failed));
        var transport = new MpiTransport(library, library.World, deadlines.Message);
        try
        {
            body(new RankConnection(transport));
        }
        catch (Exception exception) when (!IsCommon(exception, transport.Size))
        {
            library.Abort(failed?.Invoke(exception) ?? 1);
            throw;
        }
        finally
        {
            transport.Dispose();
        }
    }

    // Whether all ranks throw it at the same place, so that each may leave; otherwise the others wait for this one.
    private static bool IsCommon(Exception exception, int ranks) => exception switch
    {
        RanksDifferException or RanksCancelledException => true,
        OperationCanceledException when ranks == 1 => true,
        { InnerException: { } inner } => IsCommon(inner, ranks),
        _ => false,
    };
}
