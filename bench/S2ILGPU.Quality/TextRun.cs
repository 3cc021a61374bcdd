using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Quality;

/// <summary>What a model of text learned.</summary>
/// <param name="Curve">Validations during training.</param>
/// <param name="PositionLosses">[N], validation loss at the end by position in the context, nats per token.</param>
/// <param name="HeadNorms">[layer][head], root mean square norm of a head's output.</param>
internal sealed record TextResult(IReadOnlyList<CurvePoint> Curve, IReadOnlyList<double> PositionLosses,
    IReadOnlyList<double[]> HeadNorms)
{
    /// <summary>Validation loss at the end, nats per token.</summary>
    public double Loss => PositionLosses.Average();

    /// <summary>Largest over mean head of a layer, the mean over layers.</summary>
    public double HeadImbalance => Quality.HeadNorms.Imbalance(HeadNorms);
}

/// <summary>Trains a model of text with a plan and a seed.</summary>
internal static class TextRun
{
    private const int HeadWindows = 8;

    /// <summary>Trains and measures.</summary>
    /// <param name="engine">Where it runs.</param>
    /// <param name="text">The text.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="plan">The attention.</param>
    /// <param name="seed">Seed of the weights and of the order of the data.</param>
    /// <param name="folder">Folder that gets the model; null for none.</param>
    public static TextResult Run(IEngine engine, StudyText text, StudySettings settings, StudyPlan plan, int seed,
        string? folder = null)
    {
        using var model = new TransformerModel(engine, settings.Model(plan.Attention), (ulong)seed);
        var curve = new List<CurvePoint>();
        using (var trainer = new Trainer(model, text.Training, text.Validation, settings.Training(seed)))
            while (!trainer.IsFinished)
            {
                var step = trainer.RunStep();
                if (step.ValidationLoss is { } loss)
                    curve.Add(new CurvePoint(step.Step, loss));
            }
        if (folder is not null)
            ModelFolder.Save(folder, model, text.Tokenizer);
        return new TextResult(curve,
            PositionLosses.Measure(model, text.Validation, settings.ContextTokens, settings.FinalWindows),
            Quality.HeadNorms.Measure(model, text.Validation, settings.ContextTokens, HeadWindows));
    }
}
