using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Core.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    private static readonly TransformerConfig s_config = TinyTraining.Config;

    private static readonly TrainingOptions s_options = TinyTraining.Options;

    private readonly string _folder = Directory.CreateTempSubdirectory("s2-trainer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Training_learns_and_validates_where_the_options_say()
    {
        using var run = new TinyTraining(s_options with { Steps = 40 });
        var steps = run.Finish();
        Assert.Equal(Enumerable.Range(1, 40), steps.Select(s => s.Step));
        Assert.Equal([5, 10, 15, 20, 25, 30, 35, 40], steps.Where(s => s.ValidationLoss is not null)
            .Select(s => s.Step));
        Assert.Equal(40 * 2 * 64, steps[^1].Tokens);
        Assert.InRange(steps[0].Loss, 0.9 * Math.Log(300), 1.1 * Math.Log(300)); // an untrained model guesses
        double unigram = run.Data.EntropyBitsPerToken * Math.Log(2);
        Assert.True(steps[^1].ValidationLoss < unigram,
            $"validation {steps[^1].ValidationLoss} is not below the unigram entropy {unigram}");
    }

    [Theory]
    [InlineData(1, false, null)]
    [InlineData(3, true, null)]
    [InlineData(2, false, ElementType.BFloat16)]
    public void A_resumed_run_gives_the_bits_of_an_uninterrupted_one(int accumulation, bool recompute,
        ElementType? activations)
    {
        string state = Path.Combine(_folder, ModelFolder.State);
        var options = s_options with { AccumulationSteps = accumulation, Recompute = recompute,
            ActivationType = activations };
        using var whole = new TinyTraining(options);
        var expected = whole.Finish();
        using (var first = new TinyTraining(options))
        {
            for (int i = 0; i < 7; i++)
                first.Trainer.RunStep();
            TrainingState.Save(state, first.Trainer);
        }
        // other initial weights: all must come from the file
        var saved = TrainingState.ReadOptions(state);
        Assert.Equal(activations, saved.ActivationType);
        using var second = new TinyTraining(saved, seed: 99);
        TrainingState.Restore(state, second.Trainer);
        Assert.Equal(7, second.Trainer.CompletedSteps);
        var resumed = second.Finish();
        Assert.Equal(expected.Skip(7)
            .Select(s => (s.Step, s.Loss, s.Tokens, s.LearningRate, s.GradientNorm, s.ValidationLoss)),
            resumed.Select(s => (s.Step, s.Loss, s.Tokens, s.LearningRate, s.GradientNorm, s.ValidationLoss)));
        Assert.Equal(whole.Parameters(), second.Parameters());
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.BFloat16)]
    public void The_number_of_threads_does_not_change_a_bit(ElementType? activations)
    {
        var options = s_options with { ActivationType = activations };
        using TinyTraining one = new(options, threads: 1), two = new(options, threads: 2),
            three = new(options, threads: 3);
        one.Finish();
        two.Finish();
        three.Finish();
        Assert.Equal(one.Parameters(), two.Parameters());
        Assert.Equal(one.Parameters(), three.Parameters());
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.BFloat16)]
    public void Recomputation_does_not_change_a_bit(ElementType? activations)
    {
        var options = s_options with { ActivationType = activations };
        using TinyTraining kept = new(options), recomputed = new(options with { Recompute = true });
        kept.Finish();
        recomputed.Finish();
        Assert.Equal(kept.Parameters(), recomputed.Parameters());
    }

    [Fact]
    public void Accumulating_micro_batches_gives_the_gradient_of_the_whole_batch()
    {
        // The windows differ (each micro-batch draws its own), so the norms of many steps are compared loosely: a
        // missing 1 / steps would be a factor of 4.
        using TinyTraining whole = new(s_options with { BatchSequences = 8, ClipNorm = 0 }),
            parts = new(s_options with { AccumulationSteps = 4, ClipNorm = 0 });
        Assert.InRange(parts.Trainer.RunStep().GradientNorm / whole.Trainer.RunStep().GradientNorm, 0.5, 2);
    }

    [Fact]
    public void A_state_of_another_model_or_other_data_is_refused_with_the_reason()
    {
        string state = Path.Combine(_folder, ModelFolder.State);
        using var run = new TinyTraining(s_options);
        run.Trainer.RunStep();
        TrainingState.Save(state, run.Trainer);

        using var other = new TinyTraining(s_options, config: s_config with { FeedForwardDim = 96 });
        var before = other.Parameters();
        var error = Assert.Throws<InvalidDataException>(() => TrainingState.Restore(state, other.Trainer));
        Assert.Contains("another model", error.Message);
        Assert.Contains("192", error.Message); // gate and up are one matrix
        Assert.Equal(before, other.Parameters());
        Assert.Equal(0, other.Trainer.CompletedSteps);

        using var elsewhere = new TinyTraining(s_options, text: "Something else entirely, many times over. ");
        Assert.Contains("other data",
            Assert.Throws<InvalidDataException>(() => TrainingState.Restore(state, elsewhere.Trainer)).Message);
    }

    [Fact]
    public void Files_that_are_no_training_state_are_refused()
    {
        string path = Path.Combine(_folder, "other.safetensors");
        SafetensorsFile.Write(path, [new SafetensorsTensor("x", SafetensorsType.Float32, [1], new float[] { 1 })]);
        Assert.Contains("not a training state",
            Assert.Throws<InvalidDataException>(() => TrainingState.ReadOptions(path)).Message);
        using var run = new TinyTraining(s_options);
        Assert.Contains("not a training state",
            Assert.Throws<InvalidDataException>(() => TrainingState.Restore(path, run.Trainer)).Message);
        Assert.Throws<FileNotFoundException>(() =>
            TrainingState.Restore(Path.Combine(_folder, "missing"), run.Trainer));
    }

    [Fact]
    public void A_model_folder_gives_the_same_model_back()
    {
        using var run = new TinyTraining(s_options);
        run.Finish();
        ModelFolder.Save(_folder, run.Trainer.Model, run.Tokenizer);
        using var loaded = ModelFolder.LoadModel(_folder, run.Engine);
        Assert.Equal(run.Trainer.Model.Config, loaded.Config);
        Assert.Equal(run.Parameters(), TinyTraining.ParametersOf(loaded));
        Assert.Equal(run.Tokenizer.Encode("the quick brown fox"),
            ModelFolder.LoadTokenizer(_folder).Encode("the quick brown fox"));
        Assert.Empty(Directory.GetFiles(_folder).Select(Path.GetFileName)
            .Except([ModelFolder.Config, ModelFolder.Weights, ModelFolder.Tokenizer]));
    }

    [Fact]
    public void Weights_that_do_not_fit_the_configuration_are_refused()
    {
        using var run = new TinyTraining(s_options);
        ModelFolder.Save(_folder, run.Trainer.Model, run.Tokenizer);
        string config = Path.Combine(_folder, ModelFolder.Config);
        File.WriteAllText(config, TransformerConfigFile.Format(s_config with { FeedForwardDim = 128 }));
        long used = run.Engine.UsedBytes;
        Assert.Contains("another model",
            Assert.Throws<InvalidDataException>(() => ModelFolder.LoadModel(_folder, run.Engine)).Message);
        Assert.Equal(used, run.Engine.UsedBytes);
        Assert.Throws<DirectoryNotFoundException>(() =>
            ModelFolder.LoadModel(Path.Combine(_folder, "missing"), run.Engine));
    }

    [Theory]
    [InlineData("Steps", 0)]
    [InlineData("ContextTokens", 1)]
    [InlineData("LearningRate", -1)]
    [InlineData("Beta2", 1)]
    public void Options_out_of_range_are_refused_with_their_value(string name, int value)
    {
        var options = name switch
        {
            "Steps" => s_options with { Steps = value },
            "ContextTokens" => s_options with { ContextTokens = value },
            "LearningRate" => s_options with { LearningRate = value },
            _ => s_options with { Beta2 = value },
        };
        var error = Assert.Throws<ArgumentException>(options.Validate);
        Assert.Contains(name, error.Message);
        Assert.Contains($"got {value}", error.Message);
    }

    [Fact]
    public void Products_of_sizes_that_are_too_large_are_refused_with_their_values()
    {
        var error = Assert.Throws<ArgumentException>((s_options with { BatchSequences = 2_000_000_000 }).Validate);
        Assert.Contains("BatchSequences 2000000000 times ContextTokens 64", error.Message);
        error = Assert.Throws<ArgumentException>((s_options with { Steps = int.MaxValue,
            AccumulationSteps = int.MaxValue, BatchSequences = 1 << 20 }).Validate);
        Assert.Contains("more tokens than can be counted", error.Message);
        error = Assert.Throws<ArgumentException>(() =>
            new TinyTraining(s_options with { BatchSequences = 1 << 20 }));
        Assert.Contains("1048576 sequences of 64 tokens", error.Message);
    }

    [Fact]
    public void A_loss_of_NaN_ends_the_run_before_the_parameters_change()
    {
        using var run = new TinyTraining(s_options);
        run.Trainer.RunStep();
        run.Engine.Fill(run.Trainer.Model.Parameters[^1].Value, float.NaN);
        var before = run.Parameters();
        var error = Assert.Throws<InvalidOperationException>(() => run.Trainer.RunStep());
        Assert.Contains("the loss of step 2 is NaN", error.Message);
        Assert.Equal(1, run.Trainer.CompletedSteps);
        Assert.Equal(before, run.Parameters());
        Assert.Contains("NaN", Assert.Throws<InvalidOperationException>(() => run.Trainer.Validate()).Message);
    }

    [Fact]
    public void A_cancelled_run_continues_to_the_bits_of_one_that_is_not()
    {
        using TinyTraining whole = new(s_options), parts = new(s_options);
        whole.Trainer.Run();
        using var source = new CancellationTokenSource();
        var seen = new List<int>();
        var progress = new Recorder(step =>
        {
            seen.Add(step.Step);
            if (step.Step == 5)
                source.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => parts.Trainer.Run(progress, source.Token));
        Assert.Equal(5, parts.Trainer.CompletedSteps);
        parts.Trainer.Run(progress, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(1, s_options.Steps), seen);
        Assert.Equal(whole.Parameters(), parts.Parameters());
    }

    [Fact]
    public void A_model_with_short_matrices_is_refused()
    {
        using var run = new TinyTraining(s_options);
        using var model = new TransformerModel(run.Engine, s_config, matrixType: ElementType.BFloat16);
        var error = Assert.Throws<ArgumentException>(() => new Trainer(model, run.Data, run.Data, s_options));
        Assert.Contains("BFloat16 matrices cannot be trained, it needs Float32", error.Message);
    }

    [Fact]
    public void A_model_with_other_activations_than_the_run_is_refused()
    {
        using var run = new TinyTraining(s_options);
        var error = Assert.Throws<ArgumentException>(() => new Trainer(run.Trainer.Model, run.Data, run.Data,
            s_options with { ActivationType = ElementType.BFloat16 }));
        Assert.Contains("the model's activations are Float32, those of the run BFloat16", error.Message);
        Assert.Contains("ActivationType must be Float32 or BFloat16, got Float16", Assert.Throws<ArgumentException>(
            (s_options with { ActivationType = ElementType.Float16 }).Validate).Message);
    }

    [Fact]
    public void Shadows_are_the_rounded_parameters_after_steps_and_loading()
    {
        using var run = new TinyTraining(s_options with { ActivationType = ElementType.BFloat16 });
        run.Trainer.RunStep();
        run.Trainer.RunStep();
        ModelFolder.Save(_folder, run.Trainer.Model, run.Tokenizer);
        using var loaded = ModelFolder.LoadModel(_folder, run.Engine, activationType: ElementType.BFloat16);
        foreach (var parameter in run.Trainer.Model.Parameters.Concat(loaded.Parameters))
        {
            Assert.Equal(parameter.Shape.Rank > 1, parameter.Shadow is not null);
            if (parameter.Shadow is not { } shadow)
                continue;
            var (expected, actual) = (new float[shadow.Count], new float[shadow.Count]);
            run.Engine.Download(parameter.Value, expected);
            run.Engine.Download(shadow, actual);
            Assert.Equal(expected.Select(x => BFloat16Bits.Widen(BFloat16Bits.Round(x))), actual);
        }
    }

    [Fact]
    public void A_context_that_does_not_fit_model_or_data_is_refused()
    {
        Assert.Contains("65", Assert.Throws<ArgumentException>(() =>
            new TinyTraining(s_options with { ContextTokens = 65 })).Message);
        Assert.Contains("more text",
            Assert.Throws<ArgumentException>(() => new TinyTraining(s_options, repeats: 2)).Message);
    }

    private sealed class Recorder(Action<TrainingStep> report) : IProgress<TrainingStep>
    {
        public void Report(TrainingStep value) => report(value);
    }
}
