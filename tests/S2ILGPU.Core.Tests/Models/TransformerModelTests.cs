using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

public sealed class TransformerModelTests
{
    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _engine = new();

    [Fact]
    public void Gradients_of_every_parameter_tied() =>
        CheckGradients(TinyModels.Config(TinyModels.Sparse, TinyModels.Dense), 2, 37, null);

    [Fact]
    public void Gradients_of_every_parameter_untied_with_gelu() =>
        CheckGradients(TinyModels.Config(TinyModels.ByQueryHead) with { TiedEmbeddings = false,
        Activation = Activation.Gelu }, 1, 50, null);

    [Fact]
    public void Gradients_of_packed_sequences() =>
        CheckGradients(TinyModels.Config(TinyModels.Window, TinyModels.Sparse), 1, 45,
        SequenceBatch.Packed([19, 0, 24], [19, 0, 24]));

    [Fact]
    public void Recomputation_gives_the_same_bits()
    {
        using var model = TinyModels.Create(_engine,
            TinyModels.Config(TinyModels.Sparse, TinyModels.Dense, TinyModels.Sparse), _random);
        int[] tokens = TinyModels.Tokens(_random, 40, 11), targets = TinyModels.Tokens(_random, 40, 11);
        double[][] expected = Gradients(model, tokens, targets, 2, null, recompute: false);
        model.ZeroGradients();
        Assert.Equal(expected, Gradients(model, tokens, targets, 2, null, recompute: true));
    }

    [Fact]
    public void Micro_batches_add_up_to_the_whole_batch()
    {
        using var model = TinyModels.Create(_engine, TinyModels.Config(TinyModels.Sparse), _random);
        int[] tokens = TinyModels.Tokens(_random, 60, 11), targets = TinyModels.Tokens(_random, 60, 11);
        double[][] whole = Gradients(model, tokens, targets, 3, null, recompute: false);
        model.ZeroGradients();
        double[][] sum = [];
        for (int b = 0; b < 3; b++)
            sum = Gradients(model, tokens[(b * 20)..(b * 20 + 20)], targets[(b * 20)..(b * 20 + 20)], 1, null,
                recompute: false);
        for (int p = 0; p < whole.Length; p++)
            MaximumError.AssertWithin(new Tolerance(1e-12, true), model.Parameters[p].Name!, model.Parameters[p].Shape,
                whole[p], sum[p]);
    }

    [Fact]
    public void Every_thing_is_released()
    {
        var model = TinyModels.Create(_engine, TinyModels.Config(TinyModels.Sparse, TinyModels.Dense), _random);
        long parameters = _engine.UsedBytes;
        using (var tape = new Tape(_engine, recording: true, recompute: true))
        {
            model.Loss(tape, TinyModels.Tokens(_random, 20, 11), TinyModels.Tokens(_random, 20, 11), 1);
            tape.Reset(); // an abandoned forward pass
            Assert.Equal(parameters, _engine.UsedBytes);
            tape.Backward(model.Loss(tape, TinyModels.Tokens(_random, 20, 11), TinyModels.Tokens(_random, 20, 11), 1));
            tape.Reset();
            Assert.Equal(parameters + model.Config.ParameterCount * sizeof(double), _engine.UsedBytes);
        }
        model.Dispose();
        Assert.Equal(0, _engine.UsedBytes);
    }

    [Fact]
    public void Padding_and_ignored_targets_count_nothing()
    {
        using var model = TinyModels.Create(_engine, TinyModels.Config(TinyModels.Sparse, TinyModels.Dense), _random);
        int[] tokens = TinyModels.Tokens(_random, 30, 11), targets = TinyModels.Tokens(_random, 30, 11);
        double[][] expected = Gradients(model, tokens, targets, 1, null, recompute: false);
        model.ZeroGradients();
        int[] padded = [.. tokens, .. TinyModels.Tokens(_random, 10, 11)],
            ignored = [.. targets, .. Enumerable.Repeat(-1, 10)];
        double[][] actual = Gradients(model, padded, ignored, 1, SequenceBatch.Padded([30], [30]), recompute: false);
        for (int p = 0; p < expected.Length; p++)
            MaximumError.AssertWithin(new Tolerance(1e-12, true), model.Parameters[p].Name!, model.Parameters[p].Shape,
                expected[p], actual[p]);
    }

    [Fact]
    public void Packed_sequences_may_together_be_longer_than_the_context()
    {
        using var model = TinyModels.Create(_engine, TinyModels.Config(TinyModels.Sparse), _random);
        int[] tokens = TinyModels.Tokens(_random, 200, 11);
        using var tape = new Tape(_engine, recording: false);
        double[] packed =
            ReferenceEngine.Values(model.Forward(tape, tokens, 1, SequenceBatch.Packed([100, 100], [100, 100])).Value);
        double[] second = ReferenceEngine.Values(model.Forward(tape, tokens.AsSpan(100), 1).Value);
        MaximumError.AssertWithin(new Tolerance(1e-12, true), "second sequence", new Tensors.Shape(100, 11), second,
            packed.AsSpan(100 * 11));
    }

    [Fact]
    public void File_names_are_those_of_llama_and_cover_every_parameter_once()
    {
        using var model = new TransformerModel(_engine,
            TinyModels.Config(TinyModels.Sparse) with { TiedEmbeddings = false });
        Assert.Equal(
        [
            "model.embed_tokens.weight [11, 12]",
            "model.layers.0.input_layernorm.weight [12]",
            "model.layers.0.self_attn.q_proj.weight [32, 12]",
            "model.layers.0.self_attn.k_proj.weight [16, 12]",
            "model.layers.0.self_attn.v_proj.weight [16, 12]",
            "model.layers.0.self_attn.o_proj.weight [12, 32]",
            "model.layers.0.post_attention_layernorm.weight [12]",
            "model.layers.0.mlp.gate_proj.weight [10, 12]",
            "model.layers.0.mlp.up_proj.weight [10, 12]",
            "model.layers.0.mlp.down_proj.weight [12, 10]",
            "model.norm.weight [12]",
            "lm_head.weight [11, 12]",
        ], model.StoredTensors.Select(s => $"{s.Name} {s.Tensor.Shape}"));
        Assert.Equal(model.Config.ParameterCount, model.StoredTensors.Sum(s => s.Tensor.Count));
        Assert.Equal(model.Config.ParameterCount, model.Parameters.Sum(p => p.Value.Count));
        Assert.Equal(model.Parameters.Count, model.Parameters.Select(p => p.Name).Distinct().Count());
    }

    [Fact]
    public void Initial_weights_depend_on_seed_and_name_only()
    {
        using TransformerModel a = new(_engine, TinyModels.Config(TinyModels.Sparse), 5),
            b = new(_engine, TinyModels.Config(TinyModels.Dense, TinyModels.Dense), 5),
            c = new(_engine, TinyModels.Config(TinyModels.Sparse), 6);
        double[] Query(TransformerModel m) =>
            ReferenceEngine.Values(m.StoredTensors.Single(s =>
            s.Name == "model.layers.0.self_attn.q_proj.weight").Tensor);
        Assert.Equal(Query(a), Query(b));
        Assert.NotEqual(Query(a), Query(c));
    }

    [Fact]
    public void Bad_input_is_named()
    {
        using var model = new TransformerModel(_engine, TinyModels.Config(TinyModels.Sparse));
        using var tape = new Tape(_engine);
        void Refused(string part, Action action) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(action).Message);
        Refused("token 2 is 11", () => model.Forward(tape, [0, 1, 11], 1));
        Refused("token 0 is -1", () => model.Forward(tape, [-1], 1));
        Refused("target 1 is 99", () => model.Loss(tape, [0, 1], [0, 99], 1));
        Refused("2 tokens but 1 targets", () => model.Loss(tape, [0, 1], [0], 1));
        Refused("3 tokens do not make 2 rows", () => model.Forward(tape, [0, 1, 2], 2));
        Refused("longer than the context of 160", () => model.Forward(tape, new int[161], 1));
        Refused("leaves", () => model.Forward(tape, new int[10], 1, SequenceBatch.Packed([11], [11])));
        Refused("as many queries as keys", () => model.Forward(tape, new int[10], 1, SequenceBatch.Packed([3], [10])));
        Refused("overlap", () =>
            model.Forward(tape, new int[10], 1,
            new SequenceBatch(new Sequence(0, 0, 6, 0, 6), new Sequence(0, 5, 5, 5, 5))));
    }

    private void CheckGradients(TransformerConfig config, int batch, int tokensPerRow, SequenceBatch? sequences)
    {
        using var model = TinyModels.Create(_engine, config, _random);
        int[] tokens = TinyModels.Tokens(_random, batch * tokensPerRow, 11),
            targets = TinyModels.Tokens(_random, tokens.Length, 11);
        targets[3] = -1;
        if (sequences is not null)
            Array.Fill(targets, -1, tokensPerRow - 2, 2); // rows of no sequence
        double Loss(double[][] values)
        {
            for (int p = 0; p < values.Length; p++)
                ReferenceEngine.SetValues(model.Parameters[p].Value, values[p]);
            using var tape = new Tape(_engine, recording: false);
            return ReferenceEngine.Values(model.Loss(tape, tokens, targets, batch, sequences).Value).Sum();
        }
        double[][] inputs = [.. model.Parameters.Select(p => ReferenceEngine.Values(p.Value))];
        double[][] gradients = Gradients(model, tokens, targets, batch, sequences, recompute: false);
        GradientCheck.Run("transformer", Loss, inputs, gradients, _random, coordinates: 3);
    }

    private static double[][] Gradients(TransformerModel model, int[] tokens, int[] targets, int batch,
        SequenceBatch? sequences, bool recompute)
    {
        using var tape = new Tape(model.Engine, recording: true, recompute);
        tape.Backward(model.Loss(tape, tokens, targets, batch, sequences));
        return [.. model.Parameters.Select(p => ReferenceEngine.Values(p.Gradient!))];
    }
}
