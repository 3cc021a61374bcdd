using S2ILGPU.Engines;
using S2ILGPU.Models;

namespace S2ILGPU.Quality;

/// <summary>A model that other runs begin with.</summary>
internal static class TrainedModel
{
    /// <summary>Reads the parameters of a folder into a model with the attention of a plan.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="engine">Where the model runs.</param>
    /// <param name="plan">The plan.</param>
    /// <returns>The model, which the caller disposes.</returns>
    public static TransformerModel Load(string folder, IEngine engine, StudyPlan plan)
    {
        using var trained = ModelFolder.LoadModel(folder, engine);
        var model = new TransformerModel(engine, trained.Config with { Attention = plan.Attention }, seed: null);
        foreach (var (from, to) in trained.Parameters.Zip(model.Parameters))
            engine.Upload(engine.ToArray(from.Value), to.Value);
        return model;
    }
}
