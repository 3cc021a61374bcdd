using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Core.Tests.Tokenizers;
using S2ILGPU.Collectives;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Core.Tests.Training;

/// <summary>A tiny training on a text that has something to learn.</summary>
internal sealed class TinyTraining : IDisposable
{
    public static readonly TransformerConfig Config = new()
    {
        VocabularySize = 300,
        Dim = 32,
        Layers = 2,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 64,
        ContextTokens = 64,
        Attention = AttentionPlan.FirstDense(2, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    public static readonly TrainingOptions Options = new() { Steps = 12, BatchSequences = 2, ContextTokens = 64,
        LearningRate = 1e-2f, ValidationInterval = 5, ValidationSequences = 2 };

    public TinyTraining(TrainingOptions options, int threads = 0, ulong seed = 1, TransformerConfig? config = null,
        string text = "The quick brown fox jumps over the lazy dog, again and again.\n", int repeats = 400,
        CpuEngine? engine = null, ICollective? ranks = null, int bucketElements = 1000,
        RankGroups? groups = null)
    {
        var builder = new StringBuilder();
        for (int i = 0; i < repeats; i++)
            builder.Append(text).Append(i % 7).Append(' ');
        string path = Path.GetTempFileName();
        File.WriteAllText(path, builder.ToString());
        var (training, validation) = Corpus.Read([path]).Split();
        File.Delete(path);
        Tokenizer = BytePairTrainer.Train(training, 300);
        Data = TokenDataset.Create(Tokenizer, training);
        Engine = engine ?? new CpuEngine(new CpuOptions { Threads = threads });
        var model = new TransformerModel(Engine, config ?? Config, seed, activationType: options.ActivationType,
            tensorRanks: groups?.TensorGroup);
        Trainer = new Trainer(model, Data, TokenDataset.Create(Tokenizer, validation), options, ranks,
            groups?.ContextGroup is { } context ? new ContextParallel(context, model) : null, bucketElements);
    }

    public CpuEngine Engine { get; }

    public BytePairTokenizer Tokenizer { get; }

    public TokenDataset Data { get; }

    public Trainer Trainer { get; }

    public List<TrainingStep> Finish()
    {
        var steps = new List<TrainingStep>();
        while (!Trainer.IsFinished)
            steps.Add(Trainer.RunStep());
        return steps;
    }

    public float[] Parameters() => ParametersOf(Trainer.Model);

    public static float[] ParametersOf(TransformerModel model)
    {
        var all = new List<float>();
        foreach (var parameter in model.Parameters)
        {
            float[] values = new float[parameter.Value.Count];
            model.Engine.Download(parameter.Value, values);
            all.AddRange(values);
        }
        return [.. all];
    }

    public void Dispose()
    {
        Trainer.Dispose();
        Trainer.Model.Dispose();
        Engine.Dispose();
    }
}
