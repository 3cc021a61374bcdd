using S2ILGPU.Engines;

namespace S2ILGPU.Quality;

/// <summary>All runs of the study, seed by seed, so that one that is stopped has whole seeds.</summary>
/// <param name="settings">Sizes.</param>
/// <param name="text">What the models of text learn from.</param>
/// <param name="folder">Where results are kept.</param>
internal sealed class Study(StudySettings settings, StudyText text, RunFolder folder)
{
    /// <summary>The plans of the models of text.</summary>
    public StudyPlan[] TextPlans { get; } = StudyPlan.All(settings, settings.Layers, settings.ContextTokens);

    /// <summary>The plans of the models that recall.</summary>
    public StudyPlan[] RecallPlans { get; } = StudyPlan.All(settings, RecallRun.Layers, settings.Recall.Lengths[^1]);

    /// <summary>The seeds.</summary>
    public IEnumerable<int> Seeds => Enumerable.Range(1, settings.Seeds);

    /// <summary>Does all runs that are not there.</summary>
    /// <param name="engine">Where they run.</param>
    /// <param name="progress">Told each run that ended.</param>
    public void Run(IEngine engine, Action<string> progress)
    {
        foreach (int seed in Seeds)
        {
            foreach (var plan in TextPlans)
                Complete(TextName(plan, seed), () => TextRun.Run(engine, text, settings, plan, seed,
                    plan.Name == StudyPlan.Dense ? DenseFolder(seed) : null));
            Complete(TransferName(seed), () => TransferRun.Run(engine, text, settings, seed, DenseFolder(seed),
                (TextPlans.Single(plan => plan.Name == StudyPlan.Sparse), TextPlans[0])));
            string start = folder.In($"model-recall-{seed}");
            Complete(RecallStartName(seed), () => RecallRun.Start(engine, settings, RecallPlans[0], seed, start));
            foreach (var plan in RecallPlans)
                Complete(RecallName(plan, seed), () => RecallRun.Run(engine, settings, plan, seed, start));
        }

        void Complete<T>(string name, Func<T> run) where T : class
        {
            if (folder.Complete(name, run))
                progress(name);
        }
    }

    /// <summary>The results of a plan on text, of the seeds that are there.</summary>
    public IReadOnlyList<(int Seed, TextResult Result)> TextOf(StudyPlan plan) =>
        Found<TextResult>(seed => TextName(plan, seed));

    /// <summary>The results of a plan in recall.</summary>
    public IReadOnlyList<(int Seed, RecallResult Result)> RecallOf(StudyPlan plan) =>
        Found<RecallResult>(seed => RecallName(plan, seed));

    /// <summary>The results of tuning.</summary>
    public IReadOnlyList<(int Seed, TransferResult Result)> Transfers() => Found<TransferResult>(TransferName);

    /// <summary>Names of the runs that have not ended.</summary>
    public IReadOnlyList<string> Missing() => [.. Seeds.SelectMany(seed => TextPlans.Select(p => TextName(p, seed))
        .Concat(RecallPlans.Select(p => RecallName(p, seed))).Append(TransferName(seed)))
        .Where(name => !File.Exists(folder.In(name + ".json")))];

    private static string TextName(StudyPlan plan, int seed) => $"text-{plan.Name}-{seed}";

    private static string RecallName(StudyPlan plan, int seed) => $"recall-{plan.Name}-{seed}";

    private static string RecallStartName(int seed) => $"recall-start-{seed}";

    private static string TransferName(int seed) => $"transfer-{seed}";

    private string DenseFolder(int seed) => folder.In($"model-dense-{seed}");

    private (int, T)[] Found<T>(Func<int, string> name) where T : class =>
        [.. Seeds.Select(seed => (seed, folder.Find<T>(name(seed)))).Where(run => run.Item2 is not null)
            .Select(run => (run.seed, run.Item2!))];
}
