using S2ILGPU.Engines;
using S2ILGPU.Training;

namespace S2ILGPU.Quality;

/// <summary>Losses of a dense model that is tuned further.</summary>
/// <param name="Sparse">Losses with S2 in all layers; step 0 is the pattern without tuning.</param>
/// <param name="Dense">Losses of the control, tuned as much with dense attention; step 0 is the model as it
/// was.</param>
internal sealed record TransferResult(IReadOnlyList<CurvePoint> Sparse, IReadOnlyList<CurvePoint> Dense);

/// <summary>Gives a trained dense model the pattern of S2 and tunes it, and the same model without the
/// pattern.</summary>
internal static class TransferRun
{
    private static readonly int[] s_eighths = [2, 4, 8]; // of the steps, after which the loss is measured

    /// <summary>Tunes and measures.</summary>
    /// <param name="engine">Where it runs.</param>
    /// <param name="text">The text.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="seed">Seed of the dense model; the order of the data has another.</param>
    /// <param name="folder">Folder of the dense model.</param>
    /// <param name="plans">The plan to tune to, and that of the control.</param>
    public static TransferResult Run(IEngine engine, StudyText text, StudySettings settings, int seed, string folder,
        (StudyPlan Sparse, StudyPlan Dense) plans)
    {
        return new TransferResult(Tune(plans.Sparse), Tune(plans.Dense));

        List<CurvePoint> Tune(StudyPlan plan)
        {
            using var model = TrainedModel.Load(folder, engine, plan);
            using var trainer = new Trainer(model, text.Training, text.Validation, settings.Transfer(seed));
            var curve = new List<CurvePoint> { Measure(trainer) };
            foreach (int part in s_eighths)
            {
                while (trainer.CompletedSteps < settings.TransferSteps * part / 8)
                    trainer.RunStep();
                curve.Add(Measure(trainer));
            }
            return curve;
        }

        CurvePoint Measure(Trainer trainer) => new(trainer.CompletedSteps, PositionLosses
            .Measure(trainer.Model, text.Validation, settings.ContextTokens, settings.FinalWindows).Average());
    }
}
