using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>One rank of a run, trained without the others.</summary>
internal sealed class LoneTraining : IDisposable
{
    private readonly LoneCollective[] _groups;
    private readonly RankTraining _training;
    private readonly TrainingShape _run;

    /// <summary>Makes model and trainer.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rank">The rank.</param>
    /// <param name="engine">A new engine.</param>
    /// <param name="note">Told of exchanges.</param>
    /// <param name="memory">Fills what other ranks would send; null where there is no memory.</param>
    public LoneTraining(TrainingShape run, int rank, IEngine engine, Action<RankInstruction> note, IEngine? memory)
    {
        _run = run;
        var grid = run.Grid;
        LoneCollective Group(RankGroup group, int own, int size) => new(group, own, size, note, memory)
        {
            Replicas = () => new LoneCollective(RankGroup.Replicas, rank / grid.Tensor, grid.Ranks / grid.Tensor, note,
                memory),
        };
        var (all, context, tensor) = (Group(RankGroup.All, rank, grid.Ranks),
            Group(RankGroup.Context, rank / grid.Tensor % grid.Context, grid.Context),
            Group(RankGroup.Tensor, rank % grid.Tensor, grid.Tensor));
        _groups = [all, context, tensor];
        _training = new RankTraining(run, engine, all, grid.Context > 1 ? context : null,
            grid.Tensor > 1 ? tensor : null, memory is null ? null : 1);
    }

    /// <summary>Trains a step.</summary>
    public void Step() => _training.Step();

    /// <summary>What the rank holds in the steps after the first.</summary>
    /// <param name="step">A step.</param>
    public RankMemory Memory(IEnumerable<RankInstruction> step) => _training.Memory((long)Fetched(step));

    /// <summary>Frees trainer and model.</summary>
    public void Dispose()
    {
        _training.Dispose();
        foreach (var group in _groups)
            group.Dispose();
    }

    // The first exchanges of a step are those of a forward pass, one for each layer, and stay until the backward pass;
    // layers that run again keep what they receive one at a time.
    private double Fetched(IEnumerable<RankInstruction> step)
    {
        double[] layers = [.. step.OfType<Begin>().Where(begin => begin.Group == RankGroup.Context)
            .Take(_run.Config.Layers).Select(begin => begin.ReceivedBytes)];
        return layers.Length == 0 ? 0 : _run.Options.Recompute ? layers.Max() : layers.Sum();
    }
}
