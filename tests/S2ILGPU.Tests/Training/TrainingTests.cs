using System.Text;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Tests.Training;

/// <summary>A transformer trains on the emulated device as it does on the CPU engine: every family of kernels
/// together.</summary>
public sealed class TrainingTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 260,
        Dim = 16,
        Layers = 2,
        QueryHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 8,
        FeedForwardDim = 24,
        ContextTokens = 48,
        Attention = AttentionPlan.FirstDense(2, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    // 50 steps take minutes on the emulated device.
    private static readonly TrainingOptions s_options = new()
    {
        Steps = TestScale.IsFull ? 50 : 3,
        BatchSequences = 2,
        ContextTokens = 48,
        LearningRate = 2e-3f,
        WarmupSteps = 0,
        ValidationInterval = 3,
        ValidationSequences = 1,
    };

    private static readonly BytePairTokenizer s_tokenizer;
    private static readonly Corpus s_training, s_validation;

    static TrainingTests()
    {
        var text = new StringBuilder();
        for (int n = 0; n < 200; n++)
            text.Append("The quick brown fox jumps over the lazy dog, again and again.\n").Append(n % 7).Append(' ');
        (s_training, s_validation) = Corpus.FromText(text.ToString()).Split();
        s_tokenizer = BytePairTrainer.Train(s_training, s_config.VocabularySize);
    }

    // Rounding to 16 bits makes one step of the other engine's sum another number now and then.
    public static TheoryData<ElementType> Types => [.. Sweeps.TrainingTypes];

    [Theory]
    [MemberData(nameof(Types))]
    public void Losses_and_norms_are_those_of_the_cpu_engine(ElementType activations)
    {
        TestScale.SkipUnlessDrawn(16);
        double bound = activations == ElementType.Float32 ? 1e-3 : 2e-2;
        List<TrainingStep> expected = Train(new CpuEngine(), activations),
            actual = Train(Emulated.Create(), activations);
        Assert.Equal(s_options.Steps, actual.Count);
        for (int n = 0; n < expected.Count; n++)
        {
            Assert.Equal(expected[n].Loss, actual[n].Loss, bound);
            Assert.Equal(expected[n].GradientNorm, actual[n].GradientNorm,
                bound * Math.Max(1, expected[n].GradientNorm));
        }
        Assert.True(actual[^1].Loss < actual[0].Loss, $"the loss went from {actual[0].Loss} to {actual[^1].Loss}");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Greedy_tokens_are_those_of_the_cpu_engine(ElementType activations)
    {
        TestScale.SkipUnlessDrawn(16);
        using CpuEngine cpu = new();
        using var engine = Emulated.Create();
        using TransformerModel trained = new(cpu, s_config, seed: 1, activationType: activations),
            copy = new(engine, s_config, seed: null, activationType: activations);
        using var trainer = new Trainer(trained, TokenDataset.Create(s_tokenizer, s_training),
            TokenDataset.Create(s_tokenizer, s_validation),
            s_options with { Steps = 60, LearningRate = 1e-2f, ActivationType = activations });
        while (!trainer.IsFinished)
            trainer.RunStep();
        foreach (var (from, to) in trained.StoredTensors.Zip(copy.StoredTensors))
            engine.Upload(cpu.ToArray(from.Tensor), to.Tensor);
        copy.RefreshShadows();
        string expected = Continue(trained), actual = Continue(copy);
        Assert.True(expected.Distinct().Count() > 4, expected);
        Assert.Equal(expected, actual);
    }

    private static string Continue(TransformerModel model)
    {
        using var generator = new TextGenerator(model, s_tokenizer);
        return string.Concat(generator.Generate("The quick", 24, new SamplingOptions { Temperature = 0 },
            TestContext.Current.CancellationToken));
    }

    private static List<TrainingStep> Train(IEngine owned, ElementType activations)
    {
        using var engine = owned;
        using var model = new TransformerModel(engine, s_config, seed: 1, activationType: activations);
        using var trainer = new Trainer(model, TokenDataset.Create(s_tokenizer, s_training),
            TokenDataset.Create(s_tokenizer, s_validation), s_options with { ActivationType = activations });
        var steps = new List<TrainingStep>();
        while (!trainer.IsFinished)
            steps.Add(trainer.RunStep());
        return steps;
    }
}
