using System.Globalization;
using System.Text;
using S2ILGPU.Cli.Training;
using S2ILGPU.Corpora;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Bench;

/// <summary>A whole training step: data, forward, backward, clipping, optimizer.</summary>
internal static class TrainingBench
{
    private const int CorpusBytes = 1 << 16;

    public static FigureGroup Measure(BenchMachine machine)
    {
        var preset = TrainingPreset.Find(machine.Settings.TrainingPreset);
        var options = preset.Options with { Steps = int.MaxValue, ValidationInterval = 0 };
        var config = (preset.Model with { Attention = preset.Attention("hybrid") }).Validate();
        var data = RandomText(options.Seed);
        using var model = new TransformerModel(machine.All, config);
        using var trainer = new Trainer(model, data, data, options);
        var timings = machine.Time(machine.Settings.TrainingRounds, Yardsticks.PeakAllThreads, () => trainer.RunStep());
        double flops = Flops(model, options);
        string note = string.Create(CultureInfo.InvariantCulture,
            $"{options.TokensPerStep / timings[0].Median:#,0} tokens/s, {flops / 1e9:0.0} GFLOP per step");
        string name = $"training step, preset {preset.Name}, {options.BatchSequences} x {options.ContextTokens} tokens";
        return new FigureGroup("training", [timings.Figure(name, 0, flops, timings.PeakAllThreads,
            Targets.TrainingStep, Figure.OfPeak, note)]);
    }

    /// <summary>Multiplications and additions of the matrix products (2 per weight and token forward, 4 backward) and
    /// of the kept attention blocks (4 D and 10 D per score).</summary>
    public static double Flops(TransformerModel model, TrainingOptions options)
    {
        var config = model.Config;
        double attentionWeights = (double)config.Dim * config.HeadDim
            * (2 * config.QueryHeads + 2 * config.KeyValueHeads);
        double feedForwardWeights = (double)config.Dim * config.FeedForwardDim
            * (config.Activation == Activation.SwiGlu ? 3 : 2);
        double weights = config.Layers * (attentionWeights + feedForwardWeights) + (double)config.VocabularySize
            * config.Dim;
        double scores = 0;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            var pattern = model.Pattern(layer);
            long blocks = BlockLayout.Create(pattern, options.ContextTokens).KeptBlocks
                * (config.QueryHeads / pattern.PatternHeads);
            scores += (double)blocks * pattern.BlockTokens * pattern.BlockTokens * options.BatchSequences;
        }
        return 6 * weights * options.TokensPerStep + 14 * scores * config.HeadDim;
    }

    // What the tokens say does not change the work.
    public static TokenDataset RandomText(int seed)
    {
        var text = new byte[CorpusBytes];
        new Random(seed).GetItems("abcdefghijklmnopqrstuvwxyz "u8, text);
        return TokenDataset.Create(new BytePairTrainer().Build(257), Corpus.FromText(Encoding.ASCII.GetString(text)));
    }
}
