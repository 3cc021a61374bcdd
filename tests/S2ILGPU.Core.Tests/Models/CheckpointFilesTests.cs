using System.Text.Json.Nodes;
using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Weights in several files, and in 16 bits.</summary>
public sealed class CheckpointFilesTests : IDisposable
{
    private readonly CpuEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Weights_in_several_files(int files)
    {
        var checkpoint = Checkpoint.Named("phi3small");
        using var folder = Sharded(checkpoint, files);
        Assert.Equal(Logits(checkpoint, checkpoint.Config), Logits(folder.FullPath, checkpoint.Tokens));
    }

    [Fact]
    public void Names_what_the_files_of_an_index_lack()
    {
        var checkpoint = Checkpoint.Named("llama");
        using var folder = Sharded(checkpoint, 2);
        string index = File.ReadAllText(folder[WeightFiles.IndexFile]), second = "model-00002-of-00002.safetensors";
        string named = (string)JsonNode.Parse(index)!["weight_map"]!.AsObject()
            .First(entry => (string)entry.Value! == second).Key;
        folder.Write(WeightFiles.IndexFile, index.Replace($"\"{named}\"", "\"model.elsewhere.weight\""));
        Assert.Equal($"{folder[second]} holds no tensor 'model.elsewhere.weight', which {WeightFiles.IndexFile} "
            + "expects there", Refusal(folder.FullPath));
        folder.Write(WeightFiles.IndexFile, index.Replace(second, $"../{second}"));
        Assert.Contains("must be the name of a file in the folder", Refusal(folder.FullPath));
        folder.Write(WeightFiles.IndexFile, index);
        byte[] whole = File.ReadAllBytes(folder[second]);
        folder.Write(second, whole[..^64]);
        Assert.Contains(folder[second], Refusal(folder.FullPath));
        folder.Write(second, whole);
        File.Copy(folder[second], folder["model-00001-of-00002.safetensors"], overwrite: true);
        Assert.Contains("is also in", Refusal(folder.FullPath));
        File.Delete(folder[second]);
        Assert.Contains(second,
            Assert.Throws<FileNotFoundException>(() => ModelFolder.LoadModel(folder.FullPath, _engine)).Message);
    }

    // Matrices of 16 bits stay so, and beside the model a few megabytes are needed: the sum stays below the file's
    // size times 1.2 where that is larger.
    [Fact]
    public void Sixteen_bits_stay_sixteen_bits()
    {
        var checkpoint = Checkpoint.Named("llama");
        using var folder = checkpoint.Write();
        using var model = ModelFolder.LoadModel(folder.FullPath, _engine, matrixType: ElementType.BFloat16);
        Assert.All(model.StoredTensors.Where(stored => stored.Tensor.Shape.Rank == 2),
            stored => Assert.Equal(ElementType.BFloat16, stored.Tensor.ElementType));
        using var tape = new Tape(_engine, recording: false);
        var values = new float[checkpoint.Tokens.Length * model.Config.VocabularySize];
        _engine.Download(model.Forward(tape, checkpoint.Tokens, 1).Value, values);
        Assert.Equal(Logits(folder.FullPath, checkpoint.Tokens), values);
    }

    // Fused matrices are widened where the tensors that make them up differ.
    [Fact]
    public void Every_matrix_keeps_its_type_where_files_mix_them()
    {
        var random = Seeds.NewRandom();
        var checkpoint = Checkpoint.Named("llama");
        using var folder = new TemporaryFolder();
        folder.Write("config.json", checkpoint.Config.ToJsonString());
        var types = new Dictionary<string, SafetensorsType>();
        using (var whole = SafetensorsFile.Open(checkpoint.Weights))
        {
            foreach (string name in whole.Names)
                types[name] = random.Pick(SafetensorsType.Float32, SafetensorsType.BFloat16, SafetensorsType.Float16);
            SafetensorsFile.Write(folder[ModelFolder.Weights], whole.Entries.Select(entry => new SafetensorsTensor(
                entry.Name, types[entry.Name], entry.Shape.ToArray(), stream =>
                {
                    var bytes = new byte[entry.Count * types[entry.Name].SizeBytes()];
                    FloatConversion.FromSingle(types[entry.Name], whole.ReadSingles(entry.Name), bytes);
                    stream.Write(bytes);
                })));
        }
        using (var model = ModelFolder.LoadModel(folder.FullPath, _engine))
            foreach (var (spec, parameter) in model.Specs.Zip(model.Parameters))
            {
                string[] stored = [.. spec.Parts.Select(part => types[part.Name].ToString()).Distinct()];
                Assert.Equal(spec.Shape.Rank == 2 && stored.Length == 1 ? stored[0] : nameof(ElementType.Float32),
                    parameter.Value.ElementType.ToString());
            }
        Assert.Equal(Logits(folder.FullPath, checkpoint.Tokens, ElementType.Float32),
            Logits(folder.FullPath, checkpoint.Tokens));
    }

    private static TemporaryFolder Sharded(Checkpoint checkpoint, int files)
    {
        using var whole = SafetensorsFile.Open(checkpoint.Weights);
        var folder = new TemporaryFolder();
        folder.Write("config.json", checkpoint.Config.ToJsonString());
        var map = new JsonObject();
        for (int n = 0; n < files; n++)
        {
            string file = $"model-{n + 1:00000}-of-{files:00000}.safetensors";
            var entries = whole.Entries.Where((_, i) => i % files == n).ToArray();
            SafetensorsFile.Write(folder[file], entries.Select(entry => new SafetensorsTensor(entry.Name, entry.Type,
                entry.Shape.ToArray(), stream =>
                {
                    var bytes = new byte[entry.SizeBytes];
                    whole.ReadBytes(entry.Name, bytes);
                    stream.Write(bytes);
                })));
            foreach (var entry in entries)
                map[entry.Name] = file;
        }
        folder.Write(WeightFiles.IndexFile, new JsonObject { ["weight_map"] = map }.ToJsonString());
        return folder;
    }

    private string Refusal(string folder) =>
        Assert.Throws<InvalidDataException>(() => ModelFolder.LoadModel(folder, _engine)).Message;

    private float[] Logits(Checkpoint checkpoint, JsonObject config)
    {
        using var folder = checkpoint.Write(config);
        return Logits(folder.FullPath, checkpoint.Tokens);
    }

    private float[] Logits(string folder, int[] tokens, ElementType? matrixType = null)
    {
        using var model = ModelFolder.LoadModel(folder, _engine, matrixType);
        using var tape = new Tape(_engine, recording: false);
        var values = new float[tokens.Length * model.Config.VocabularySize];
        _engine.Download(model.Forward(tape, tokens, 1).Value, values);
        return values;
    }
}
