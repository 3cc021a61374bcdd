using S2ILGPU.Cli.Invocation;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>The checkpoint that fine-tuning begins with.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Config">Its configuration.</param>
internal sealed record Checkpoint(string Folder, TransformerConfig Config)
{
    private const int MostContextTokens = 1024;

    /// <summary>How a checkpoint is trained where nothing else is asked for: at a low rate, which keeps what it has
    /// learned.</summary>
    public TrainingOptions Options => new()
    {
        Steps = 200,
        BatchSequences = 1,
        ContextTokens = Math.Min(MostContextTokens, Config.ContextTokens),
        LearningRate = 2e-5f,
        ValidationInterval = 50,
        CheckpointInterval = 100,
    };

    /// <summary>Reads the configuration of a folder.</summary>
    /// <param name="folder">The folder; must be there.</param>
    /// <exception cref="InvalidDataException">The configuration is damaged, or asks for what is not computed; the
    /// message has its name.</exception>
    public static Checkpoint Open(string folder) =>
        new(folder, TransformerConfigFile.Read(ModelFolder.PathOf(folder, ModelFolder.Config)));

    /// <summary>Reads the model in the engine's float type, whatever the file has: the optimizer's steps are too small
    /// for 16 bits.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="options">How it will be trained.</param>
    /// <param name="attention">Attention of the layers; null for its own.</param>
    /// <param name="error">Shows how much is read, on a terminal.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public TransformerModel Load(IEngine engine, TrainingOptions options, string? attention, TextWriter error,
        CancellationToken cancellation)
    {
        using var progress = new LoadingLine(error, Folder);
        return ModelFolder.LoadModel(Folder, engine, engine.FloatType, options.ActivationType, attention, progress,
            cancellation);
    }
}
