using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>A kind of model that is asked.</summary>
/// <param name="Name">Its name, also of its folder.</param>
/// <param name="Title">What reads what.</param>
/// <param name="IsControl">Whether its layers together do not reach the whole text, so that it cannot find all.</param>
/// <param name="Attention">The attention of its two layers.</param>
internal sealed record NeedleModel(string Name, string Title, bool IsControl, AttentionPlan Attention)
{
    private const int Layers = 2, BlockTokens = 16;

    /// <summary>All kinds.</summary>
    public static NeedleModel[] All(NeedleSettings settings)
    {
        var s2 = new LocalStrideAttention
        {
            BlockTokens = BlockTokens,
            LocalBlocks = settings.LocalBlocks,
            VerticalStride = settings.Heads,
        };
        var window = new SlidingWindowAttention { BlockTokens = BlockTokens, WindowBlocks = settings.LocalBlocks };
        var dense = new DenseAttention { BlockTokens = BlockTokens };
        return
        [
            new("s2", "S2 in both layers", false, Plan(s2, s2)),
            new("hybrid", "S2, then dense", false, Plan(s2, dense)),
            new("window", "the window alone", true, Plan(window, window)),
        ];

        static AttentionPlan Plan(params AttentionConfig[] layers) => new([.. layers]);
    }

    /// <summary>The shape: half of each head has no rotary angles, so that it finds a key at any distance.</summary>
    public TransformerConfig Config(NeedleSettings settings) => new()
    {
        Architecture = "Phi3ForCausalLM", // which has heads with rotary angles in part
        VocabularySize = NeedleTask.Tokenizer.VocabularySize,
        Dim = settings.Dim,
        Layers = Layers,
        QueryHeads = settings.Heads,
        KeyValueHeads = settings.Heads,
        HeadDim = settings.Dim / settings.Heads,
        FeedForwardDim = 2 * settings.Dim,
        ContextTokens = settings.Lengths[^1],
        RotaryFraction = 0.5,
        TiedEmbeddings = false,
        Attention = Attention,
    };

    /// <summary>Loads the model from its folder, or trains a new one and saves it there.</summary>
    /// <param name="engine">Where it runs.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="folder">Has a folder for each model; null to load and save nothing.</param>
    /// <param name="progress">Gets a line for each context that was learned.</param>
    /// <param name="cancellation">Ends the training.</param>
    /// <exception cref="InvalidDataException">The folder has a model of another shape.</exception>
    public TransformerModel Create(IEngine engine, NeedleSettings settings, string? folder, Action<string> progress,
        CancellationToken cancellation)
    {
        var config = Config(settings);
        string? own = folder is null ? null : Path.Combine(folder, Name);
        if (Directory.Exists(own))
        {
            var kept = ModelFolder.LoadModel(own, engine, cancellation: cancellation);
            if (kept.Config == config)
                return kept;
            kept.Dispose();
            throw new InvalidDataException($"{own} has a model of another shape: name another folder");
        }
        var model = new TransformerModel(engine, config, (ulong)settings.Seed);
        try
        {
            new NeedleTraining(model, settings).Run(progress, cancellation);
            if (own is not null)
                ModelFolder.Save(own, model, NeedleTask.Tokenizer);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
