using System.Text.Json.Nodes;
using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Checkpoints of every architecture can be trained: the gradients of all their parameters, biases, norms of
/// heads and fused tensors among them.</summary>
public sealed class CheckpointGradientTests : IDisposable
{
    private const int Tokens = 52, CheckedParameters = 5;

    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _reference = new();
    private readonly CpuEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    public static TheoryData<string> Names =>
        ["llama-bias", "mistral-window", "qwen2", "qwen3", "phi3-partial", "phi3small"];

    // Along a random direction of all parameters together, and of some of them alone, drawn by the seed. Without the
    // limit of a gate: of 10,000 numbers some lie so near to it that differences see both slopes.
    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_are_those_of_differences(string name)
    {
        TestScale.SkipUnlessDrawn(3);
        using var model = Load(name, _reference, gateLimit: 1000);
        var (tokens, targets) = Text(name, model);
        double[][] gradients = Gradients(model, tokens, targets);
        double[][] all = [.. model.Parameters.Select(p => ReferenceEngine.Values(p.Value))];
        double Loss(IReadOnlyList<int> chosen, double[][] values)
        {
            for (int i = 0; i < values.Length; i++)
                ReferenceEngine.SetValues(model.Parameters[chosen[i]].Value, values[i]);
            using var tape = new Tape(_reference, recording: false);
            return ReferenceEngine.Values(model.Loss(tape, tokens, targets, 1).Value).Sum();
        }
        int[] every = [.. Enumerable.Range(0, all.Length)];
        GradientCheck.Run($"{name}, all parameters", values => Loss(every, values), all, gradients, _random,
            coordinates: 0);
        Loss(every, all);
        foreach (int one in _random.GetItems(every, CheckedParameters))
        {
            GradientCheck.Run($"{name}, {model.Parameters[one].Name}", values => Loss([one], values), [all[one]],
                [gradients[one]], _random, coordinates: 1);
            Loss([one], [all[one]]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_of_the_CPU_engine_are_those_of_the_reference(string name)
    {
        using TransformerModel reference = Load(name, _reference, gateLimit: 1.5),
            tested = Load(name, _engine, gateLimit: 1.5);
        var (tokens, targets) = Text(name, reference);
        double[][] expected = Gradients(reference, tokens, targets), actual = Gradients(tested, tokens, targets);
        for (int p = 0; p < expected.Length; p++)
        {
            var (parameter, shape) = (reference.Parameters[p].Name!, reference.Parameters[p].Shape);
            Assert.True(expected[p].Any(x => x != 0), $"{parameter} has no gradient");
            MaximumError.AssertWithin(new Tolerance(1e-4, true), parameter, shape, expected[p], actual[p]);
        }
    }

    // The loss is that of the logits, in which tokens that no text has are -inf.
    [Fact]
    public void Losses_leave_unused_tokens_out()
    {
        using var folder = Checkpoint.Named("phi3small").Write();
        using var model = ModelFolder.LoadModel(folder.FullPath, _reference);
        using var tape = new Tape(_reference, recording: false);
        int[] tokens = Checkpoint.Named("phi3small").Tokens[..9], targets = [1, 2, 3, 4, 6, 7, 8, 9, 10];
        double[] logits = ReferenceEngine.Values(model.Forward(tape, tokens, 1).Value);
        double[][] rows = [.. logits.Chunk(model.Config.VocabularySize)];
        double[] expected = [.. rows.Select((row, t) => Math.Log(row.Sum(Math.Exp)) - row[targets[t]])];
        MaximumError.AssertWithin(new Tolerance(1e-9, true), "losses", new Shape(9), expected,
            ReferenceEngine.Values(model.Loss(tape, tokens, targets, 1).Value));
    }

    private static TransformerModel Load(string name, IEngine engine, double gateLimit)
    {
        var config = Checkpoint.Named(name).Config.DeepClone().AsObject();
        if (config.ContainsKey("gegelu_limit"))
            config["gegelu_limit"] = gateLimit;
        using var folder = Checkpoint.Named(name).Write(config);
        return ModelFolder.LoadModel(folder.FullPath, engine, matrixType: engine.FloatType);
    }

    private static (int[] Tokens, int[] Targets) Text(string name, TransformerModel model)
    {
        int[] all = Checkpoint.Named(name).Tokens;
        return (all[..Tokens], [.. all[1..(Tokens + 1)]
            .Select(id => model.Config.UnusedTokens?.Contains(id) == true ? -1 : id)]);
    }

    private static double[][] Gradients(TransformerModel model, int[] tokens, int[] targets)
    {
        using var tape = new Tape(model.Engine, recording: true);
        tape.Backward(model.Loss(tape, tokens, targets, 1));
        return [.. model.Parameters.Select(p => Values(model.Engine, p.Gradient!))];
    }

    private static double[] Values(IEngine engine, Tensor tensor)
    {
        if (engine is ReferenceEngine)
            return ReferenceEngine.Values(tensor);
        var values = new float[tensor.Count];
        engine.Download(tensor, values);
        return [.. values.Select(x => (double)x)];
    }
}
