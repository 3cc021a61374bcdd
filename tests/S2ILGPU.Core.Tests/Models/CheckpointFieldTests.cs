using System.Text.Json;
using System.Text.Json.Nodes;
using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>No field of a configuration is ignored in silence: another value changes the logits, or is refused, or
/// there is a reason why neither happens.</summary>
public sealed class CheckpointFieldTests : IDisposable
{
    private const string Short = "the sequence is longer than the original context",
        Long = "the sequence is not longer than the original context";

    // By the path of a field, or the checkpoint and the path.
    private static readonly Dictionary<string, string> s_withoutEffect = new()
    {
        ["torch_dtype"] = "files say the type of every tensor",
        ["qwen2.sliding_window"] = "switched off",
        ["qwen2.max_window_layers"] = "switched off",
        ["qwen3.max_window_layers"] = "switched off",
        ["qwen3.sliding_window"] = "switched off",
        ["qwen3.use_sliding_window"] = "no window is given",
        ["mistral-window-1.rope_theta"] = "every query reads itself alone",
        ["llama-yarn-all.rope_scaling.truncate"] = "rounding moves no pair over a limit",
        ["qwen3-window.max_window_layers"] = "layer_types says it layer by layer",
        ["gegelu_pad_to_256"] = "padding of a kernel",
        ["pad_sequence_to_multiple_of_64"] = "padding of a kernel",
        ["reorder_and_upcast_attn"] = "precision of a kernel",
        ["blocksparse_triton_kernel_block_size"] = "tile of a kernel",
        ["original_max_position_embeddings"] = "read by longrope alone",
        ["max_position_embeddings"] = "a longer context changes no shorter sequence",
        ["phi3-long.rope_scaling.short_factor"] = Short,
        ["phi3small-long.rope_scaling.short_factor"] = Short,
        ["phi3small-long.rope_scaling.short_mscale"] = Short,
        ["phi3-long-short.rope_scaling.long_factor"] = Long,
        ["phi3small-plain.mup_attn_multiplier"] = "mup_use_scaling is false",
    };

    private readonly CpuEngine _engine = new();

    public static TheoryData<string> Names => [.. Checkpoint.All.Select(checkpoint => checkpoint.Name)];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_field_counts(string name)
    {
        TestScale.SkipUnlessDrawn(6);
        var checkpoint = Checkpoint.Named(name);
        float[] logits = Logits(checkpoint, checkpoint.Config);
        string[] silent = [.. Leaves(checkpoint.Config)
            .Where(leaf => Others(leaf[^1].ToString()!, At(checkpoint.Config, leaf))
                .All(other => IsSilent(checkpoint, leaf, other, logits)))
            .Select(Path)
            .Where(path => !s_withoutEffect.ContainsKey(path) && !s_withoutEffect.ContainsKey($"{name}.{path}"))];
        Assert.Empty(silent);
    }

    // A reason for a field that no checkpoint has would excuse a field to come.
    [Fact]
    public void Reasons_are_for_fields_that_are_there() => Assert.All(s_withoutEffect.Keys, reason =>
        Assert.Contains(Checkpoint.All, checkpoint => Leaves(checkpoint.Config).Select(Path)
            .Any(path => reason == path || reason == $"{checkpoint.Name}.{path}")));

    private bool IsSilent(Checkpoint checkpoint, object[] leaf, JsonNode? other, float[] logits)
    {
        var config = checkpoint.Config.DeepClone().AsObject();
        JsonNode parent = config;
        foreach (object key in leaf[..^1])
            parent = Child(parent, key)!;
        if (leaf[^1] is int index)
            parent[index] = other;
        else
            parent[(string)leaf[^1]] = other;
        try
        {
            return Logits(checkpoint, config).AsSpan().SequenceEqual(logits);
        }
        catch (Exception refused) when (refused is InvalidDataException or ArgumentException)
        {
            return false; // by the reader, or as the tokens are too many for the context
        }
    }

    // The places of all values, lists and objects opened.
    private static IEnumerable<object[]> Leaves(JsonNode? node) => node switch
    {
        JsonObject o => o.SelectMany(member => Leaves(member.Value).Select(rest => (object[])[member.Key, .. rest])),
        JsonArray a => a.SelectMany((item, i) => Leaves(item).Select(rest => (object[])[i, .. rest])),
        _ => [[]],
    };

    private static JsonNode? At(JsonNode node, object[] leaf) =>
        leaf.Aggregate((JsonNode?)node, (n, key) => Child(n!, key));

    private static JsonNode? Child(JsonNode node, object key) => key is int index ? node[index] : node[(string)key];

    // Items of a list share the name of the list.
    private static string Path(object[] leaf) => string.Join('.', leaf.OfType<string>());

    // Several where one may be as good as the value that is there.
    private static JsonNode?[] Others(string field, JsonNode? value) => (field, value?.GetValueKind()) switch
    {
        ("sliding_window", _) => [5],
        ("rope_scaling", null) => [new JsonObject { ["type"] = "linear", ["factor"] = 3 }],
        ("ff_dim_multiplier", null) => [4],
        ("type" or "rope_type", _) => [value!.GetValue<string>() == "linear" ? "dynamic" : "linear"],
        (_, JsonValueKind.True or JsonValueKind.False) => [!value!.GetValue<bool>()],
        (_, JsonValueKind.Number) when value!.AsValue().TryGetValue(out int number) =>
            [number * 2, number * 4, Math.Max(1, number / 8)],
        (_, JsonValueKind.Number) => [value!.GetValue<double>() * 1.5, value!.GetValue<double>() / 4],
        (_, JsonValueKind.String) when value!.GetValue<string>() == "full_attention" => ["sliding_attention"],
        (_, JsonValueKind.String) when value!.GetValue<string>() == "sliding_attention" => ["full_attention"],
        _ => ["other"],
    };

    private float[] Logits(Checkpoint checkpoint, JsonObject config)
    {
        using var folder = checkpoint.Write(config);
        using var model = ModelFolder.LoadModel(folder.FullPath, _engine);
        using var tape = new Tape(_engine, recording: false);
        var values = new float[checkpoint.Tokens.Length * model.Config.VocabularySize];
        _engine.Download(model.Forward(tape, checkpoint.Tokens, 1).Value, values);
        return values;
    }
}
