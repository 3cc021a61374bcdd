using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Quality;

/// <summary>Sizes of the study; the same for every plan, so that plans differ in their attention alone.</summary>
internal sealed record StudySettings
{
    /// <summary>Runs of each plan: seeds 1 to so many, of weights and of the order of the data.</summary>
    public int Seeds { get; init; } = 3;

    /// <summary>V, tokens of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 512;

    /// <summary>C, width of the model.</summary>
    public int Dim { get; init; } = 64;

    /// <summary>Layers of the models of text.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>H, query heads, key/value heads and stride alike, so that the heads together read everything.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; init; } = 16;

    /// <summary>L, blocks of the local window.</summary>
    public int LocalBlocks { get; init; } = 4;

    /// <summary>N, tokens of a training sequence.</summary>
    public int ContextTokens { get; init; } = 512;

    /// <summary>Steps of each model of text.</summary>
    public int Steps { get; init; } = 480;

    /// <summary>Sequences of a step.</summary>
    public int BatchSequences { get; init; } = 1;

    /// <summary>Steps between two validations.</summary>
    public int ValidationInterval { get; init; } = 24;

    /// <summary>Windows of a validation during training.</summary>
    public int ValidationWindows { get; init; } = 6;

    /// <summary>Windows of the measurement at the end of a run, which the tables show.</summary>
    public int FinalWindows { get; init; } = 48;

    /// <summary>The most bytes of text to read.</summary>
    public int CorpusBytes { get; init; } = 2_000_000;

    /// <summary>Added to the dense model's last loss to give the loss that the others have to reach, nats.</summary>
    public double Margin { get; init; } = 0.05;

    /// <summary>Steps of fine-tuning; the loss is measured at 0, a quarter, a half and all of them.</summary>
    public int TransferSteps { get; init; } = 200;

    /// <summary>Highest learning rate of fine-tuning.</summary>
    public float TransferLearningRate { get; init; } = 1e-3f;

    /// <summary>Sizes of the recall task.</summary>
    public NeedleSettings Recall { get; init; } = new()
    {
        Dim = 64,
        TrainingTokens = [64, 256],
        CopySteps = 2500,
        Steps = 200,
        LastSteps = 0,
        StepTokens = 2048,
        Lengths = [128, 256],
        Haystacks = 8,
        LongestHaystacks = 8,
    };

    /// <summary>For a first look, in minutes.</summary>
    public static StudySettings Quick { get; } = new()
    {
        Seeds = 2,
        VocabularySize = 384,
        Dim = 32,
        Layers = 2,
        ContextTokens = 256,
        Steps = 100,
        ValidationInterval = 20,
        FinalWindows = 16,
        CorpusBytes = 400_000,
        TransferSteps = 40,
        Recall = new NeedleSettings
        {
            Dim = 32,
            TrainingTokens = [64, 128],
            CopySteps = 150,
            Steps = 50,
            LastSteps = 0,
            StepTokens = 512,
            Lengths = [128],
            Haystacks = 2,
            LongestHaystacks = 2,
        },
    };

    /// <summary>The model of text with the attention of a plan.</summary>
    public TransformerConfig Model(AttentionPlan attention) => new()
    {
        VocabularySize = VocabularySize,
        Dim = Dim,
        Layers = Layers,
        QueryHeads = Heads,
        KeyValueHeads = Heads,
        HeadDim = Dim / Heads,
        FeedForwardDim = Dim * 11 / 4,
        ContextTokens = ContextTokens,
        TiedEmbeddings = false, // tied ones learn the frequencies of tokens more slowly
        Attention = attention,
    };

    /// <summary>How a model of text is trained.</summary>
    public TrainingOptions Training(int seed) => new()
    {
        Steps = Steps,
        BatchSequences = BatchSequences,
        ContextTokens = ContextTokens,
        LearningRate = 5e-3f,
        Seed = seed,
        ValidationInterval = ValidationInterval,
        ValidationSequences = ValidationWindows,
    };

    /// <summary>How a trained model is tuned: on other windows than it was trained with.</summary>
    public TrainingOptions Transfer(int seed) => Training(seed) with
    {
        Steps = TransferSteps,
        LearningRate = TransferLearningRate,
        Seed = seed + 1000,
        ValidationInterval = 0,
    };
}
