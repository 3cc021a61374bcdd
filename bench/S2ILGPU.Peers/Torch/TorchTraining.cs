using S2ILGPU.Autograd;
using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace S2ILGPU.Peers.Torch;

/// <summary>A training step on one sequence: forward, backward, clipping, AdamW.</summary>
internal static class TorchTraining
{
    private const int QuickTokens = 1024;

    public static void Measure(PeerReport report)
    {
        // The preset that s2 train takes by itself, and the one of 8 layers of width 512.
        foreach (string preset in (string[])["default", "small"])
            Measure(report, TrainingPreset.Find(preset));
    }

    private static void Measure(PeerReport report, TrainingPreset preset)
    {
        int tokens = Math.Min(preset.Options.ContextTokens, report.Options.IsQuick ? QuickTokens : int.MaxValue);
        string name = $"training step, preset {preset.Name}, {tokens} tokens";
        if (!report.Wants(name))
            return;
        string[] kinds = ["dense", "s2"];
        OurTraining[] ours = [.. kinds.Select(kind => new OurTraining(report.Engine,
            preset.Model with { Attention = preset.Attention(kind) },
            preset.Options with { ContextTokens = tokens }))];
        using var theirs = new TorchStep(ours[0]);
        double error = Check(name, ours[0], theirs);
        string size = FormattableString.Invariant($"{theirs.ParameterCount / 1e6:0.0} M parameters");
        report.Compare(name, report.Options.ModelRounds, theirs.Run, [.. ours.Select((training, i) => new OurVariant(
            kinds[i], training.Run, i == 0 ? error : null, tokens, size))]);
        foreach (var training in ours)
            training.Dispose();
    }

    // Loss and gradients of all parameters before the first step.
    private static double Check(string name, OurTraining ours, TorchStep theirs)
    {
        if (theirs.ParameterCount != ours.Model.Config.ParameterCount)
            throw new DisagreementException($"{name}: {ours.Model.Config.ParameterCount} parameters of ours, "
                + $"{theirs.ParameterCount} of the peer's");
        double error = Agreement.Check($"{name}: loss", [ours.Gradients()], [theirs.Gradients()]);
        for (int i = 0; i < theirs.Model.Parameters.Count; i++)
            error = Math.Max(error, Agreement.Check($"{name}: gradient of {ours.Model.Parameters[i].Name}",
                ours.Model.Engine.Values(ours.Model.Parameters[i].Gradient!),
                theirs.Model.Parameters[i].grad!.Values()));
        return error;
    }

    /// <summary>Our step, as the trainer does it.</summary>
    private sealed class OurTraining : IDisposable
    {
        private readonly AdamWOptimizer _optimizer;
        private readonly Tape _tape;
        private readonly float[] _losses;
        private int _step;

        public OurTraining(CpuEngine engine, TransformerConfig config, TrainingOptions options)
        {
            Options = options;
            Model = new TransformerModel(engine, config);
            _optimizer = new AdamWOptimizer(engine, Model.Parameters, options);
            _tape = new Tape(engine);
            Tokens = RandomTokens(1);
            Targets = RandomTokens(2);
            _losses = new float[Tokens.Length];
        }

        public TrainingOptions Options { get; }

        public TransformerModel Model { get; }

        public int[] Tokens { get; }

        public int[] Targets { get; }

        /// <summary>Mean loss; the gradients are in the parameters.</summary>
        public float Gradients()
        {
            Model.ZeroGradients();
            var losses = Model.Loss(_tape, Tokens, Targets, batch: 1);
            Model.Engine.Download(losses.Value, _losses);
            _tape.Backward(losses, 1f / Tokens.Length);
            _tape.Reset();
            return (float)_losses.Average(loss => (double)loss);
        }

        public void Run()
        {
            Gradients();
            _optimizer.Step(++_step, Options.LearningRate);
        }

        public void Dispose()
        {
            _tape.Dispose();
            _optimizer.Dispose();
            Model.Dispose();
        }

        private int[] RandomTokens(int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, Options.ContextTokens).Select(_ =>
                random.Next(Model.Config.VocabularySize))];
        }
    }

    /// <summary>The step of libtorch from the same weights on the same tokens.</summary>
    private sealed class TorchStep : IDisposable
    {
        private readonly TrainingOptions _options;
        private readonly optim.Optimizer _optimizer;
        private readonly torch.Tensor _tokens, _targets;

        public TorchStep(OurTraining ours)
        {
            _options = ours.Options;
            Model = new TorchTransformer(ours.Model, ours.Tokens.Length);
            _tokens = torch.tensor(ours.Tokens, dtype: ScalarType.Int64);
            _targets = torch.tensor(ours.Targets, dtype: ScalarType.Int64);
            // Matrices are decayed, vectors are not, as ours.
            _optimizer = optim.AdamW(
            [
                Group(Model.Parameters.Where(p => p.dim() > 1), _options.WeightDecay),
                Group(Model.Parameters.Where(p => p.dim() == 1), 0),
            ], _options.LearningRate, _options.Beta1, _options.Beta2, _options.Epsilon);
        }

        public TorchTransformer Model { get; }

        public long ParameterCount => Model.ParameterCount;

        /// <summary>Mean loss; the gradients are in the parameters.</summary>
        public float Gradients()
        {
            _optimizer.zero_grad();
            using var scope = NewDisposeScope();
            var loss = Model.Loss(_tokens, _targets);
            float value = loss.item<float>();
            loss.backward();
            return value;
        }

        public void Run()
        {
            Gradients();
            using var scope = NewDisposeScope(); // the optimizer leaves its intermediates to it
            nn.utils.clip_grad_norm_(Model.Parameters, _options.ClipNorm);
            _optimizer.step();
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _tokens.Dispose();
            _targets.Dispose();
            Model.Dispose();
        }

        private AdamW.ParamGroup Group(IEnumerable<Parameter> parameters, float decay) => new(parameters,
            _options.LearningRate, _options.Beta1, _options.Beta2, _options.Epsilon, decay);
    }
}
