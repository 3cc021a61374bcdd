namespace S2ILGPU.Cli.Simulation;

/// <summary>Failures of ranks, and what they cost a run.</summary>
/// <param name="MeanSecondsBetween">Mean time between failures of one rank, exponentially distributed.</param>
/// <param name="RecoverySeconds">From a failure to the step after the last checkpoint: detection, restart,
/// reading.</param>
/// <param name="CheckpointSeconds">Time in which a checkpoint stops the run.</param>
internal sealed record FailureModel(double MeanSecondsBetween, double RecoverySeconds, double CheckpointSeconds)
{
    /// <summary>The interval between checkpoints that loses least, to first order: <c>sqrt(2 delta M)</c>.</summary>
    /// <param name="ranks">Ranks, any of which stops the run.</param>
    /// <seealso href="https://doi.org/10.1145/361147.361115">Young, A first order approximation to the optimum
    /// checkpoint interval</seealso>
    public double BestInterval(int ranks) => Math.Sqrt(2 * CheckpointSeconds * MeanSecondsBetween / ranks);

    /// <summary>The expected useful fraction of the time: <c>tau / (M e^(R/M) (e^((tau + delta)/M) - 1))</c>.</summary>
    /// <param name="ranks">Ranks.</param>
    /// <param name="interval">tau, seconds of work between two checkpoints.</param>
    /// <seealso href="https://doi.org/10.1016/j.future.2004.11.016">Daly, A higher order estimate of the optimum
    /// checkpoint interval, equation 20</seealso>
    public double ExpectedUsefulFraction(int ranks, double interval)
    {
        double mean = MeanSecondsBetween / ranks;
        return interval / (mean * Math.Exp(RecoverySeconds / mean)
            * (Math.Exp((interval + CheckpointSeconds) / mean) - 1));
    }

    /// <summary>Plays a run, failure by failure.</summary>
    /// <param name="ranks">Ranks.</param>
    /// <param name="interval">Seconds of work between two checkpoints.</param>
    /// <param name="seconds">Length of the run on the clock.</param>
    /// <param name="seed">Seed of the failures.</param>
    public FailureForecast Run(int ranks, double interval, double seconds, int seed)
    {
        var random = new Random(seed);
        var events = new PriorityQueue<FailureEvent, double>();
        double useful = 0, now = 0;
        int failures = 0, version = 0;
        events.Enqueue(new FailureEvent(IsFailure: true, 0), Draw());
        events.Enqueue(new FailureEvent(IsFailure: false, version), interval + CheckpointSeconds);
        while (events.TryDequeue(out var next, out double time) && time <= seconds)
        {
            if (!next.IsFailure && next.Version != version)
                continue; // a failure came before this checkpoint
            now = time;
            double ready = now;
            if (next.IsFailure)
            {
                // What was done since the last checkpoint is lost; a failure while recovering begins that again.
                failures++;
                version++;
                ready += RecoverySeconds;
                events.Enqueue(next, now + Draw());
            }
            else
                useful += interval;
            events.Enqueue(new FailureEvent(IsFailure: false, version), ready + interval + CheckpointSeconds);
        }
        return new FailureForecast(useful / seconds, failures);

        double Draw() => -Math.Log(1 - random.NextDouble()) * MeanSecondsBetween / ranks;
    }

    /// <summary>A failure, or the end of a checkpoint.</summary>
    private readonly record struct FailureEvent(bool IsFailure, int Version);
}

/// <summary>What failures leave of a run.</summary>
/// <param name="UsefulFraction">Work that a checkpoint holds at the end, as a fraction of the time.</param>
/// <param name="Failures">Number of failures.</param>
internal sealed record FailureForecast(double UsefulFraction, int Failures);
