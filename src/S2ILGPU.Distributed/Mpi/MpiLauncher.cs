namespace S2ILGPU.Distributed.Mpi;

/// <summary>What the environment says of an MPI launcher, so that a plain start loads no library.</summary>
internal static class MpiLauncher
{
    /// <summary>Names the MPI library instead of the usual ones.</summary>
    public const string LibraryVariable = "S2_MPI_LIBRARY";

    /// <summary>Whether this process was started by a launcher, and is one of several or of one.</summary>
    public static bool IsLaunched => IsOpenMpi || IsSet("PMI_SIZE") || IsSet("PMI_RANK");

    /// <summary>Number of this process among those on its machine; null where the launcher does not say.</summary>
    public static int? LocalRank
    {
        get
        {
            foreach (string variable in (string[])["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"])
                if (int.TryParse(Environment.GetEnvironmentVariable(variable), out int rank) && rank >= 0)
                    return rank;
            return null;
        }
    }

    /// <summary>The libraries to try, in order.</summary>
    public static string[] Libraries => Environment.GetEnvironmentVariable(LibraryVariable) is { Length: > 0 } named
        ? [named]
        : IsOpenMpi ? ["libmpi.so.40", "libmpi.so"]
        : ["libmpi.so.12", "libmpich.so.12", "libmpi.so"];

    private static bool IsOpenMpi => IsSet("OMPI_COMM_WORLD_SIZE");

    private static bool IsSet(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 };
}
