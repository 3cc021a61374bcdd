using System.Text.Json.Nodes;
using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Checkpoints of every architecture and rotary scaling give the logits that NumPy computed from the published
/// formulas.</summary>
public sealed class CheckpointTests : IDisposable
{
    private static readonly Tolerance s_close = new(1e-4);

    private readonly CpuEngine _engine = new();

    public static TheoryData<string> Names => [.. Checkpoint.All.Select(checkpoint => checkpoint.Name)];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void Whole_sequences(string name)
    {
        var checkpoint = Checkpoint.Named(name);
        using var folder = checkpoint.Write();
        using var model = ModelFolder.LoadModel(folder.FullPath, _engine);
        AssertLogits(checkpoint, Logits(model, checkpoint));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Token_by_token_through_the_cache(string name)
    {
        var checkpoint = Checkpoint.Named(name);
        using var folder = checkpoint.Write();
        using var model = ModelFolder.LoadModel(folder.FullPath, _engine);
        // What a sequence may grow to decides about its angles.
        using var decoder = new TransformerDecoder(model,
            new KeyValueCacheOptions { MaxTokens = checkpoint.Tokens.Length });
        var logits = new float[checkpoint.Tokens.Length][];
        for (int start = 0, end; start < logits.Length; start = end)
        {
            end = start == 18 ? 60 : start + 1;
            decoder.Append(checkpoint.Tokens.AsSpan(start, end - start),
                logits[end - 1] = new float[model.Config.VocabularySize]);
        }
        AssertLogits(checkpoint, logits);
    }

    // Reading what was written gives the same model, whatever of it the fields of its architecture can say.
    [Theory]
    [MemberData(nameof(Names))]
    public void Written_and_read_again(string name)
    {
        var checkpoint = Checkpoint.Named(name);
        using TemporaryFolder folder = checkpoint.Write(), copy = new();
        using var model = ModelFolder.LoadModel(folder.FullPath, _engine);
        ModelFolder.Save(copy.FullPath, model, new BytePairTrainer().Build(257));
        Assert.Equal(model.Config, TransformerConfigFile.Read(copy["config.json"]));
        Assert.Equal((string?)checkpoint.Config["model_type"],
            (string?)JsonNode.Parse(File.ReadAllText(copy["config.json"]))!["model_type"]);
        using SafetensorsFile before = SafetensorsFile.Open(folder["model.safetensors"]),
            after = SafetensorsFile.Open(copy["model.safetensors"]);
        Assert.Equal(before.Names.Order(), after.Names.Order());
        Assert.All(before.Names, tensor => Assert.Equal(before.ReadSingles(tensor), after.ReadSingles(tensor)));
    }

    private static void AssertLogits(Checkpoint checkpoint, float[]?[] logits)
    {
        int compared = 0;
        for (int i = 0; i < checkpoint.Positions.Length; i++)
            if (logits[checkpoint.Positions[i]] is { } actual)
            {
                compared++;
                float[] expected = checkpoint.Logits[i];
                MaximumError.AssertWithin(s_close, $"{checkpoint} at {checkpoint.Positions[i]}",
                    new Shape(expected.Length), Doubles(expected), Doubles(actual));
            }
        Assert.True(compared >= checkpoint.Positions.Length - 1, $"{compared} positions were compared");
    }

    private static double[] Doubles(float[] values) => [.. values.Select(x => (double)x)];

    private float[][] Logits(TransformerModel model, Checkpoint checkpoint)
    {
        using var tape = new Tape(_engine, recording: false);
        var logits = model.Forward(tape, checkpoint.Tokens, 1).Value;
        var values = new float[logits.Count];
        _engine.Download(logits, values);
        return [.. values.Chunk(model.Config.VocabularySize)];
    }
}
