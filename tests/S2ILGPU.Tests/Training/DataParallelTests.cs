using S2ILGPU.Corpora;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Tests.Training;

/// <summary>Ranks on two emulated devices train as one device does.</summary>
public sealed class DataParallelTests
{
    // Two query heads read one key/value head, and the tokens are no multiple of the blocks.
    private static readonly TransformerConfig s_config = SmallTraining.Config with { KeyValueHeads = 1 };
    private static readonly TrainingOptions s_options = SmallTraining.Options with { ContextTokens = 20 };

    [Fact]
    public void Two_devices_follow_one()
    {
        TestScale.SkipUnlessDrawn(12);
        var data = SmallTraining.Data(Seeds.Current, characters: 400);
        List<TrainingStep> expected = Train(data, 1), actual = Train(data, 2);
        Assert.Equal(s_options.Steps, actual.Count);
        foreach (var (one, two) in expected.Zip(actual))
        {
            Assert.Equal(one.Loss, two.Loss, 1e-5);
            Assert.Equal(one.GradientNorm, two.GradientNorm, 1e-5 * Math.Max(1, one.GradientNorm));
        }
        Assert.NotEqual(actual[0].Loss, actual[^1].Loss);
    }

    private static List<TrainingStep> Train(TokenDataset data, int devices)
    {
        var steps = new List<TrainingStep>();
        MemoryRanks.Run(devices, connection =>
        {
            using var engine = Emulated.Create();
            using var ranks = connection.CreateCollective(engine);
            using var model = new TransformerModel(engine, s_config, (ulong)connection.Rank + 1);
            using var trainer = new Trainer(model, data, data, s_options, ranks);
            while (!trainer.IsFinished)
                if (trainer.RunStep() is var step && connection.Rank == 0)
                    steps.Add(step);
        });
        return steps;
    }
}
