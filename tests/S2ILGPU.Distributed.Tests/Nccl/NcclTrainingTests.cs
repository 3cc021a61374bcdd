using ILGPU.Runtime.CPU;
using S2ILGPU.Collectives;
using S2ILGPU.Corpora;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Distributed.Nccl;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Nccl;

/// <summary>Training with exchanges between devices has the bits of training through the host.</summary>
[Collection(nameof(NcclDouble))]
public sealed class NcclTrainingTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    public void Training_has_the_bits_of_the_host(int tensorRanks, int contextRanks)
    {
        var library = NcclDouble.Get().Library;
        TestScale.SkipUnlessDrawn(9);
        var data = SmallTraining.Data(Seeds.Current);
        float[] host = Train(data, tensorRanks, contextRanks, host => host),
            devices = Train(data, tensorRanks, contextRanks, host => new NcclCollective(library, host));
        Assert.Equal(host, devices);
        Assert.NotEqual(host[0], host[1]); // losses: something was learnt
    }

    // Losses, norms and parameters of rank 0.
    private static float[] Train(TokenDataset data, int tensorRanks, int contextRanks,
        Func<HostCollective, ICollective> over)
    {
        var numbers = new List<float>();
        MemoryRanks.Run(2, connection =>
        {
            // A launch wakes all threads of the device: it has no more than the kernels need.
            using var engine = IlgpuDevices.CreateEngine(new CPUDevice(32, 4, 1), mayUseTensorCores: false);
            using var ranks = over(new HostCollective(engine, connection.Messages));
            using var groups = new RankGroups(ranks, engine, tensorRanks, contextRanks);
            using var model = new TransformerModel(engine, SmallTraining.Config, 3, tensorRanks: groups.TensorGroup);
            using var trainer = new Trainer(model, data, data, SmallTraining.Options, ranks,
                groups.ContextGroup is { } context ? new ContextParallel(context, model) : null);
            TrainingStep[] steps = [trainer.RunStep(), trainer.RunStep()];
            if (connection.Rank == 0)
                numbers.AddRange([.. steps.Select(step => (float)step.Loss),
                    .. steps.Select(step => (float)step.GradientNorm),
                    .. model.Parameters.SelectMany(parameter => engine.ToArray(parameter.Value))]);
        });
        return [.. numbers];
    }
}
