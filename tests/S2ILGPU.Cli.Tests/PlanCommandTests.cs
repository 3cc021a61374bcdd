using System.Text.Json;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class PlanCommandTests
{
    private const string Command = "plan --heads 32 --kv-heads 8 --tokens 131072 --ranks 8";

    [Fact]
    public async Task Prints_bytes_memory_and_work()
    {
        string[] lines = (await Tool.SucceedAsync(Command)).Split('\n');
        Assert.Equal(["S2", "exchange", "50.1", "62.2", "129"], Words(lines, "S2"));
        Assert.Equal(["ring", "470", "470", "134"], Words(lines, "ring"));
        Assert.Equal(["Ulysses", "294", "294", "67.1"], Words(lines, "Ulysses"));
        Assert.Contains(lines, line => line.Contains("1.000 times the mean"));
    }

    [Fact]
    public async Task Writes_json()
    {
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{Command} --json --precision fp32"));
        Assert.Equal(2 * 469762048.0, json.RootElement.GetProperty("ringBytes").GetDouble());
    }

    // 2 sums of 16,384 x 4,096 bf16 numbers, of which a rank of 4 sends 2 x 3/4; a quarter of the heads.
    [Fact]
    public async Task Counts_what_shared_layers_send()
    {
        string text = await Tool.SucceedAsync($"{Command} --tensor-parallel 4");
        Assert.Contains("403 MB per layer forward", text);
        Assert.Equal(["ring", "117", "117", "33.6"], Words(text.Split('\n'), "ring"));
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{Command} --json --tensor-parallel 2 --dim 100"));
        Assert.Equal(2 * 16384 * 100 * 2.0, json.RootElement.GetProperty("layerBytes").GetDouble());
    }

    // Parameters, gradients and both moments in fp32, the moments halved by the data-parallel groups.
    [Fact]
    public async Task Counts_the_memory_of_training()
    {
        const string Model = "plan --heads 4 --kv-heads 2 --tokens 512 --ranks 2 --head-dim 16 --block-size 16 "
            + "--local-blocks 2 --layers 3 --vocabulary 1000 --feed-forward 128 --data-parallel 2 --precision fp32";
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{Model} --json"));
        const long Parameters = 1000 * 64 + 3 * (64 * 128 + 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64,
            Tables = 2 * 512 * 8;
        var memory = json.RootElement.GetProperty("memory");
        long Bytes(string name) => memory.GetProperty(name).GetInt64();
        Assert.Equal(4 * (Parameters + Tables), Bytes("weightBytes"));
        // Context-parallel ranks share the moments too: 4 ranks have a part each, of whole parts of a bucket.
        Assert.InRange(Bytes("momentBytes"), 2 * 4 * Parameters / 4 * 0.98, 2 * 4 * Parameters / 4 * 1.02);
        Assert.InRange(Bytes("gradientBytes"), 4 * Parameters * 1.25 * 0.98, 4 * Parameters * 1.25 * 1.02);
        Assert.Equal(3 * json.RootElement.GetProperty("meanBytes").GetDouble(), Bytes("fetchedBytes"),
            0.5 * Bytes("fetchedBytes")); // of the rank that holds most
        Assert.True(Bytes("activationBytes") > Bytes("fetchedBytes"));
        Assert.Equal(Bytes("totalBytes"), Bytes("weightBytes") + Bytes("gradientBytes") + Bytes("momentBytes")
            + Bytes("activationBytes"));
        Assert.Contains("training takes of a rank at most", await Tool.SucceedAsync(Model));
        Assert.DoesNotContain("training takes", await Tool.SucceedAsync(Command));
    }

    [Fact]
    public async Task Bad_input_is_refused()
    {
        await Tool.RefuseAsync("plan --heads 8 --tokens 100 --ranks 2", "100 tokens has 2 blocks of 64, too few");
        await Tool.RefuseAsync("plan --heads 8 --tokens 4096 --ranks 2 --non-causal", "causal patterns only");
        await Tool.RefuseAsync("plan --heads 8 --tokens 4096", "--ranks");
        await Tool.RefuseAsync("plan --heads 8 --tokens 4096 --ranks 2 --tensor-parallel 3",
            "--tensor-parallel 3 does not divide the 8 key/value heads");
    }

    private static string[] Words(string[] lines, string first) =>
        Assert.Single(lines, line => line.StartsWith(first)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
