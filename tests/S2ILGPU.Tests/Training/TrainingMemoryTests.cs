using S2ILGPU.Corpora;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Tests.Training;

/// <summary>Training on the emulated device holds as much after many steps as after few: tensors, scratch memory, plans
/// and what the host keeps of them.</summary>
public sealed class TrainingMemoryTests
{
    private const int FirstStep = 50, LastStep = 1000;

    // A leak of one small object a step would be more.
    private const long ManagedBytes = 64 << 10;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 258,
        Dim = 8,
        Layers = 1,
        QueryHeads = 1,
        KeyValueHeads = 1,
        HeadDim = 8,
        FeedForwardDim = 8,
        ContextTokens = 16,
        Attention = AttentionPlan.FirstDense(1, 0,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    [LongFact]
    public void A_thousand_steps_leave_the_memory_of_the_device_as_it_was()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        using var model = new TransformerModel(engine, s_config, seed: 1, activationType: ElementType.BFloat16);
        var (training, validation) = Corpus.FromText(string.Concat(Enumerable.Range(0, 300)
            .Select(n => $"Line {n} of a text.\n"))).Split();
        var tokenizer = BytePairTrainer.Train(training, s_config.VocabularySize);
        using var trainer = new Trainer(model, TokenDataset.Create(tokenizer, training),
            TokenDataset.Create(tokenizer, validation), new TrainingOptions
            {
                Steps = LastStep + 1,
                BatchSequences = 1,
                ContextTokens = s_config.ContextTokens,
                ActivationType = ElementType.BFloat16,
                ValidationInterval = 0,
            });
        var before = MeasureAt(FirstStep);
        var after = MeasureAt(LastStep);
        Assert.Equal(before.Device, after.Device);
        Assert.True(after.Managed - before.Managed < ManagedBytes,
            $"managed heap: {before.Managed:#,0} bytes after {FirstStep} steps, {after.Managed:#,0} after {LastStep}");

        ((long Used, long Reserved, int Live, int Pieces) Device, long Managed) MeasureAt(int step)
        {
            while (trainer.CompletedSteps < step)
                trainer.RunStep();
            var memory = engine.Queue.Memory;
            return ((memory.UsedBytes, memory.ReservedBytes, memory.LiveBuffers, memory.Pieces),
                GC.GetTotalMemory(forceFullCollection: true));
        }
    }
}
