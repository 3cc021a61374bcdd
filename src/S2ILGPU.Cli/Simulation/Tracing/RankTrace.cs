namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>What one rank does in a training step, and what it holds: the trainer itself, run without other ranks.
/// </summary>
/// <param name="Instructions">Operations and exchanges in their order.</param>
/// <param name="Memory">Bytes of its tensors.</param>
internal sealed record RankTrace(IReadOnlyList<RankInstruction> Instructions, RankMemory Memory)
{
    /// <summary>Enumerates a step without computing it.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rank">The rank.</param>
    public static RankTrace Of(TrainingShape run, int rank)
    {
        var instructions = new List<RankInstruction>();
        using var engine = new TracedEngine(null, (operation, _) => instructions.Add(new Compute(operation)));
        using var lone = new LoneTraining(run, rank, engine, instructions.Add, null);
        lone.Step(); // makes the gradients, which the second step has from the beginning
        instructions.Clear();
        lone.Step();
        return new RankTrace(instructions, lone.Memory(instructions));
    }

    /// <summary>What ranks do that train side by side without exchanging: the operations, and those that fill in what
    /// other ranks would send.</summary>
    /// <param name="run">The run.</param>
    /// <param name="rank">The rank.</param>
    public static RankTrace WithoutOthers(TrainingShape run, int rank)
    {
        var operations = new List<RankInstruction>();
        using var engine = new TracedEngine(null, (operation, _) => operations.Add(new Compute(operation)));
        using var lone = new LoneTraining(run, rank, engine, _ => { }, engine);
        lone.Step();
        operations.Clear();
        lone.Step();
        return new RankTrace(operations, lone.Memory(operations));
    }

    /// <summary>What every rank of some does; ranks of other data-parallel groups do the same as those of the
    /// first.</summary>
    /// <param name="run">The run.</param>
    /// <param name="cancellation">Ends it between two ranks.</param>
    public static IReadOnlyList<RankTrace> OfGroup(TrainingShape run, CancellationToken cancellation)
    {
        var traces = new List<RankTrace>();
        for (int rank = 0; rank < run.Grid.Together; rank++)
        {
            cancellation.ThrowIfCancellationRequested();
            traces.Add(Of(run, rank));
        }
        return traces;
    }
}
