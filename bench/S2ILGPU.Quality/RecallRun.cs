using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Engines;
using S2ILGPU.Models;

namespace S2ILGPU.Quality;

/// <summary>What a model found in long texts.</summary>
/// <param name="Steps">Steps with questions in longer texts, until they were learned or done.</param>
/// <param name="Lengths">Tokens of the texts.</param>
/// <param name="Found">[length][depth], needles found, from the beginning of a text to its end.</param>
/// <param name="Trials">[length], needles asked for at each depth.</param>
internal sealed record RecallResult(int Steps, IReadOnlyList<int> Lengths, IReadOnlyList<int[]> Found,
    IReadOnlyList<int> Trials)
{
    /// <summary>The fraction found in texts of a length, over some of the depths.</summary>
    /// <param name="length">Index of the length.</param>
    /// <param name="depths">Which depths.</param>
    public double Fraction(int length, Range depths) =>
        Found[length][depths].Average(found => found / (double)Trials[length]);
}

/// <summary>What a model learned that all plans begin with.</summary>
/// <param name="Steps">Steps with copies and questions.</param>
internal sealed record RecallStart(int Steps);

/// <summary>Trains a model of two layers to find a value by its key.</summary>
/// <remarks>The first stage has texts of a local window, of which all plans read everything: it is done once per seed,
/// and each plan goes on from there with longer texts.</remarks>
internal static class RecallRun
{
    /// <summary>Layers of the models.</summary>
    public const int Layers = 2;

    /// <summary>The first stage, with texts of the first length.</summary>
    /// <param name="engine">Where it runs.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="dense">The plan that reads everything.</param>
    /// <param name="seed">Seed of the weights and of the texts.</param>
    /// <param name="folder">Folder that gets the model.</param>
    public static RecallStart Start(IEngine engine, StudySettings settings, StudyPlan dense, int seed, string folder)
    {
        var sizes = Sizes(settings, seed) with { TrainingTokens = settings.Recall.TrainingTokens.Take(1).ToArray() };
        using var model = new TransformerModel(engine,
            new NeedleModel(dense.Name, dense.Title, false, dense.Attention).Config(sizes), (ulong)seed);
        int steps = Train(model, sizes);
        ModelFolder.Save(folder, model, NeedleTask.Tokenizer);
        return new RecallStart(steps);
    }

    /// <summary>The other stages with the attention of a plan, and the measurement.</summary>
    /// <param name="engine">Where it runs.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="seed">Seed of the texts.</param>
    /// <param name="folder">Folder of the model to begin with.</param>
    public static RecallResult Run(IEngine engine, StudySettings settings, StudyPlan plan, int seed, string folder)
    {
        var sizes = Sizes(settings, seed) with
        {
            TrainingTokens = settings.Recall.TrainingTokens.Skip(1).ToArray(),
            CopySteps = 0,
        };
        using var model = TrainedModel.Load(folder, engine, plan);
        int steps = Train(model, sizes);
        var grid = NeedleGrid.Measure(model, sizes, static _ => { }, CancellationToken.None);
        return new RecallResult(steps, grid.Lengths,
            [.. grid.Lengths.Select((_, length) => Enumerable.Range(0, NeedleGrid.Depths)
                .Select(depth => grid.Found[length, depth]).ToArray())], grid.Trials);
    }

    private static NeedleSettings Sizes(StudySettings settings, int seed) =>
        settings.Recall with { Seed = seed, Heads = settings.Heads };

    private static int Train(TransformerModel model, NeedleSettings sizes)
    {
        var training = new NeedleTraining(model, sizes);
        training.Run(static _ => { }, CancellationToken.None);
        return training.Steps;
    }
}
