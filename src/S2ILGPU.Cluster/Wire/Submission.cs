namespace S2ILGPU.Cluster.Wire;

/// <summary>What became of a submitted run.</summary>
internal enum SubmissionOutcome
{
    /// <summary>It runs.</summary>
    Accepted,

    /// <summary>It cannot run there.</summary>
    Invalid,

    /// <summary>The queue is full, or the instance takes no requests.</summary>
    Refused,
}

/// <summary>The answer to a submission.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Message">Why it does not run; empty where it does.</param>
internal sealed record Submission(SubmissionOutcome Outcome, string Message = "");
