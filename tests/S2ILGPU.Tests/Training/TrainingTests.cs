using System.Text;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
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

    private static readonly TrainingOptions s_options = new()
    {
        Steps = 3,
        BatchSequences = 2,
        ContextTokens = 48,
        LearningRate = 1e-2f,
        WarmupSteps = 0,
        ValidationInterval = 3,
        ValidationSequences = 1,
    };

    [Fact]
    public void Losses_and_norms_are_those_of_the_cpu_engine()
    {
        var expected = Train(new CpuEngine());
        Compare(expected, Train(Emulated.Create()));
    }

    private static void Compare(List<TrainingStep> expected, List<TrainingStep> actual)
    {
        Assert.Equal(s_options.Steps, actual.Count);
        for (int n = 0; n < expected.Count; n++)
        {
            Assert.Equal(expected[n].Loss, actual[n].Loss, 1e-4);
            Assert.Equal(expected[n].GradientNorm, actual[n].GradientNorm,
                1e-4 * Math.Max(1, expected[n].GradientNorm));
        }
        Assert.True(actual[^1].Loss < actual[0].Loss, $"the loss went from {actual[0].Loss} to {actual[^1].Loss}");
    }

    private static List<TrainingStep> Train(IEngine owned)
    {
        using var engine = owned;
        var text = new StringBuilder();
        for (int n = 0; n < 200; n++)
            text.Append("The quick brown fox jumps over the lazy dog, again and again.\n").Append(n % 7).Append(' ');
        string path = Path.GetTempFileName();
        File.WriteAllText(path, text.ToString());
        var (training, validation) = Corpus.Read([path]).Split();
        File.Delete(path);
        var tokenizer = BytePairTrainer.Train(training, s_config.VocabularySize);
        using var model = new TransformerModel(engine, s_config, seed: 1);
        using var trainer = new Trainer(model, TokenDataset.Create(tokenizer, training),
            TokenDataset.Create(tokenizer, validation), s_options);
        var steps = new List<TrainingStep>();
        while (!trainer.IsFinished)
            steps.Add(trainer.RunStep());
        return steps;
    }
}
