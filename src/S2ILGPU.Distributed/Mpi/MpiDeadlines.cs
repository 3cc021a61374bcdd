namespace S2ILGPU.Distributed.Mpi;

/// <summary>The longest that a rank waits for another one.</summary>
/// <param name="Start">In <c>MPI_Init_thread</c>.</param>
/// <param name="Message">For a message, and in <c>MPI_Comm_split</c>.</param>
/// <param name="End">In <c>MPI_Finalize</c>.</param>
internal readonly record struct MpiDeadlines(TimeSpan Start, TimeSpan Message, TimeSpan End)
{
    /// <summary>The same for all.</summary>
    public static MpiDeadlines Of(TimeSpan deadline) => new(deadline, deadline, deadline);
}
