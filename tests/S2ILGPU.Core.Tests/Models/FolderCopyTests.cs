using System.Text.Json.Nodes;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Model folders written out of others: nothing is lost on the way there and back.</summary>
public sealed class FolderCopyTests
{
    private static readonly string[] s_companions = ["tokenizer.json", "tokenizer_config.json",
        "generation_config.json", "chat_template.jinja", "LICENSE"];

    private static readonly LocalStrideAttention s_sparse =
        new() { BlockTokens = 16, LocalBlocks = 2, VerticalStride = 3 };

    public static TheoryData<string> Names => [.. Checkpoint.All.Select(checkpoint => checkpoint.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void There_in_shards_and_back(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        using TemporaryFolder source = Folder(name), there = new(), back = new();
        var config = TransformerConfigFile.Read(source["config.json"]);
        Copy(source, there, config, shardBytes: 9_000);
        Assert.True(Directory.GetFiles(there.FullPath, "model-*-of-*.safetensors").Length > 2);
        Assert.All(Directory.GetFiles(there.FullPath, "model-*"),
            path => Assert.True(new FileInfo(path).Length < 20_000));
        Copy(there, back, config);
        AssertSameTensors(source, back);
        AssertSameJson(source, back);
        Assert.All(s_companions, file => Assert.Equal(File.ReadAllBytes(source[file]), File.ReadAllBytes(back[file])));
        // once written by this library, another round gives the same bytes
        using TemporaryFolder thereAgain = new(), backAgain = new();
        Copy(back, thereAgain, config, shardBytes: 9_000);
        Copy(thereAgain, backAgain, config);
        AssertSameFiles(there, thereAgain);
        AssertSameFiles(back, backAgain);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("phi3small")]
    public void In_another_type_and_back(string name)
    {
        using TemporaryFolder source = Folder(name), there = new(), back = new();
        var config = TransformerConfigFile.Read(source["config.json"]);
        Copy(source, there, config, SafetensorsType.Float32);
        Assert.Equal("float32", (string?)Json(there)["torch_dtype"]);
        using (var wide = SafetensorsFile.Open(there["model.safetensors"]))
            Assert.All(wide.Entries, entry => Assert.Equal(SafetensorsType.Float32, entry.Type));
        Copy(there, back, config, SafetensorsType.BFloat16);
        AssertSameTensors(source, back);
        AssertSameJson(source, back);
    }

    // With a pattern that the architecture has no fields for, every fact beside the arithmetic stays.
    [Theory]
    [MemberData(nameof(Names))]
    public void With_a_pattern_and_back(string name)
    {
        TestScale.SkipUnlessDrawn(4);
        using TemporaryFolder source = Folder(name), there = new(), back = new();
        var config = TransformerConfigFile.Read(source["config.json"]);
        var sparse = config with { Attention = AttentionPlan.EveryDense(config.Layers, 2, s_sparse) };
        Copy(source, there, sparse);
        Assert.Equal(sparse, TransformerConfigFile.Read(there["config.json"]));
        Copy(there, back, config);
        Assert.Equal(config, TransformerConfigFile.Read(back["config.json"]));
        foreach (var folder in (TemporaryFolder[])[there, back])
            Assert.Equal("[7,9] 3 bfloat16 4.53.0",
                $"{Json(folder)["eos_token_id"]!.ToJsonString()} {Json(folder)["bos_token_id"]} "
                + $"{Json(folder)["torch_dtype"]} {Json(folder)["transformers_version"]}");
        AssertSameTensors(source, back);
    }

    [Fact]
    public void Numbers_that_a_type_cannot_hold_are_named_and_nothing_is_left()
    {
        using var folder = new TinyLlama();
        folder.Rewrite((name, values) =>
        {
            if (name == "model.norm.weight")
                values[3] = 70_000;
            return values;
        });
        using var target = new TemporaryFolder();
        string message = Assert.Throws<InvalidDataException>(() =>
            Copy(folder.Path, target.FullPath, SafetensorsType.Float16)).Message;
        Assert.Equal($"{folder["model.safetensors"]}: element 3 of tensor model.norm.weight F32 [16] is 70000, too "
            + "large for F16", message);
        Assert.Empty(Directory.GetFileSystemEntries(target.FullPath));
        string fresh = target["new"];
        Assert.Throws<InvalidDataException>(() => Copy(folder.Path, fresh, SafetensorsType.Float16));
        Assert.False(Directory.Exists(fresh));
        Copy(folder.Path, fresh, SafetensorsType.BFloat16);
        Assert.Contains("is not empty", Assert.Throws<ArgumentException>(() =>
            Copy(folder.Path, fresh, SafetensorsType.BFloat16)).Message);
    }

    [Fact]
    public void A_cancelled_copy_leaves_nothing()
    {
        using var folder = new TinyLlama();
        using var target = new TemporaryFolder();
        var copy = new FolderCopy
        {
            Source = folder.Path,
            Target = target.FullPath,
            Config = TransformerConfigFile.Read(folder["config.json"]),
        };
        Assert.Throws<OperationCanceledException>(() => copy.Write(null, new CancellationToken(canceled: true)));
        Assert.Empty(Directory.GetFileSystemEntries(target.FullPath));
    }

    private static void Copy(string source, string target, SafetensorsType type) => new FolderCopy
    {
        Source = source,
        Target = target,
        Config = TransformerConfigFile.Read(Path.Combine(source, "config.json")),
        Type = type,
    }.Write(null, CancellationToken.None);

    private static void Copy(TemporaryFolder source, TemporaryFolder target, TransformerConfig config,
        SafetensorsType? type = null, long shardBytes = long.MaxValue) => new FolderCopy
        {
            Source = source.FullPath,
            Target = target.FullPath,
            Config = config,
            Type = type,
            ShardBytes = shardBytes,
        }.Write(null, CancellationToken.None);

    private static TemporaryFolder Folder(string name)
    {
        var config = Checkpoint.Named(name).Config.DeepClone().AsObject();
        config["eos_token_id"] = new JsonArray(7, 9);
        config["bos_token_id"] = 3;
        config["transformers_version"] = "4.53.0";
        var folder = Checkpoint.Named(name).Write(config);
        foreach (string file in s_companions)
            folder.Write(file, $"{{\"{file}\": 1}}\n");
        new BytePairTrainer().Build(257).Save(folder["tokenizer.json"]);
        folder.Write("optimizer.bin", "no part of a model");
        return folder;
    }

    private static JsonObject Json(TemporaryFolder folder) =>
        JsonNode.Parse(File.ReadAllText(folder["config.json"]))!.AsObject();

    private static void AssertSameFiles(TemporaryFolder expected, TemporaryFolder actual)
    {
        string[] names = Files(expected);
        Assert.NotEmpty(names);
        Assert.Equal(names, Files(actual));
        Assert.All(names, name => Assert.Equal(File.ReadAllBytes(expected[name]), File.ReadAllBytes(actual[name])));
    }

    private static string[] Files(TemporaryFolder folder) =>
        [.. Directory.EnumerateFiles(folder.FullPath, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder.FullPath, file)).Order(StringComparer.Ordinal)];

    private static void AssertSameJson(TemporaryFolder expected, TemporaryFolder actual) =>
        Assert.True(JsonNode.DeepEquals(Json(expected), Json(actual)), File.ReadAllText(actual["config.json"]));

    private static void AssertSameTensors(TemporaryFolder expected, TemporaryFolder actual)
    {
        using SafetensorsFile before = SafetensorsFile.Open(expected["model.safetensors"]),
            after = SafetensorsFile.Open(actual["model.safetensors"]);
        Assert.Equal(before.Names.Order(), after.Names.Order());
        Assert.False(File.Exists(actual["optimizer.bin"]));
        foreach (var entry in before.Entries)
        {
            byte[] old = new byte[entry.SizeBytes], copied = new byte[after.Info(entry.Name).SizeBytes];
            before.ReadBytes(entry.Name, old);
            after.ReadBytes(entry.Name, copied);
            Assert.Equal(entry.ToString(), after.Info(entry.Name).ToString());
            Assert.Equal(old, copied);
        }
    }
}
