using System.Text.Json.Nodes;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>A tiny checkpoint of another tool's shape with logits that <c>Fixtures/Checkpoints/checkpoints.py</c>
/// computed in float64.</summary>
internal sealed class Checkpoint
{
    public static readonly string Folder = Repository.PathOf("tests", "S2ILGPU.Core.Tests", "Models", "Fixtures",
        "Checkpoints");

    private Checkpoint(JsonNode node, SafetensorsFile logits)
    {
        Name = (string)node["name"]!;
        Weights = Path.Combine(Folder, $"{(string)node["weights"]!}.safetensors");
        Config = node["config"]!.AsObject();
        Tokens = [.. node["tokens"]!.AsArray().Select(id => (int)id!)];
        Positions = [.. node["positions"]!.AsArray().Select(id => (int)id!)];
        float[] values = logits.ReadSingles(Name);
        Logits = [.. values.Chunk(values.Length / Positions.Length)];
    }

    public static IReadOnlyList<Checkpoint> All { get; } = Read();

    public string Name { get; }

    /// <summary>The file of the weights.</summary>
    public string Weights { get; }

    public JsonObject Config { get; }

    public int[] Tokens { get; }

    /// <summary>The positions of <see cref="Logits"/>.</summary>
    public int[] Positions { get; }

    public float[][] Logits { get; }

    public static Checkpoint Named(string name) => All.Single(checkpoint => checkpoint.Name == name);

    /// <summary>A model folder with the weights and a configuration, without a tokenizer.</summary>
    public TemporaryFolder Write(JsonObject? config = null)
    {
        var folder = new TemporaryFolder();
        folder.Write("config.json", (config ?? Config).ToJsonString());
        File.Copy(Weights, folder["model.safetensors"]);
        return folder;
    }

    public override string ToString() => Name;

    private static Checkpoint[] Read()
    {
        using var logits = SafetensorsFile.Open(Path.Combine(Folder, "logits.safetensors"));
        return [.. JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "checkpoints.json")))!.AsArray()
            .Select(node => new Checkpoint(node!, logits))];
    }
}
