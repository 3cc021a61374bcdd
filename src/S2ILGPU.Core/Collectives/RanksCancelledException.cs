namespace S2ILGPU.Collectives;

/// <summary>The ranks of a run have agreed to stop: one of them was cancelled, and all have heard of it. Every rank
/// throws it at the same place. A rank that is cancelled alone throws another <see
/// cref="OperationCanceledException"/>, which is a failure of the run.</summary>
/// <param name="cancellation">The token of this rank, cancelled or not.</param>
public sealed class RanksCancelledException(CancellationToken cancellation)
    : OperationCanceledException("the ranks have stopped together", cancellation);
