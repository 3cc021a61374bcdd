using System.Text.Json;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>s2 bench matmul</c>, <c>train</c> and <c>decode</c>, and <c>--varied</c>.</summary>
public sealed class ModelBenchTests
{
    private static readonly string[] s_attentions = ["dense", "s2", "hybrid"];

    [Fact]
    public async Task Products_have_all_three_forms_in_every_type()
    {
        TestDevices.Show();
        var entries = await EntriesAsync("matmul --preset tiny --rows 24");
        // 5 weights of the tiny preset, fp32 and bf16 on the CPU engine
        Assert.Equal(2 * 5 * 3, entries.Length);
        Assert.Equal(["bf16", "fp32"], entries.Select(e => e.GetProperty("dtype").GetString()).Distinct().Order());
        foreach (var product in entries.GroupBy(e => $"{e.GetProperty("product")} {e.GetProperty("dtype")}"))
        {
            Assert.Equal(["forward", "input gradient", "weight gradient"],
                product.Select(e => e.GetProperty("work").GetString()));
            Assert.Single(product.Select(e => e.GetProperty("flops").GetDouble()).Distinct());
        }
        var first = entries[0]; // [24, 32] x [(4 + 2 2) 16, 32]^T
        Assert.Equal((24, 128, 32), (first.GetProperty("m").GetInt32(), first.GetProperty("n").GetInt32(),
            first.GetProperty("k").GetInt32()));
        Assert.Equal(2.0 * 24 * 128 * 32, first.GetProperty("flops").GetDouble());
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    public async Task A_training_step_has_its_phases_and_its_ceiling(string precision)
    {
        TestDevices.Show();
        var entries = await EntriesAsync($"train --preset tiny --context 256 --batch 2 --precision {precision}");
        Assert.Equal(s_attentions, entries.Select(e => e.GetProperty("attention").GetString()));
        foreach (var entry in entries)
        {
            double phases = new[] { "forward", "backward", "optimizer" }
                .Sum(phase => entry.GetProperty($"{phase}Milliseconds").GetDouble());
            Assert.Equal(entry.GetProperty("milliseconds").GetDouble(), phases, tolerance: 1e-3 * phases);
            Assert.Equal(precision, entry.GetProperty("dtype").GetString());
            Assert.Equal(512 / entry.GetProperty("milliseconds").GetDouble() * 1e3,
                entry.GetProperty("tokensPerSecond").GetDouble(), tolerance: 1);
        }
        CheckCeilings(entries);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--varied")]
    public async Task A_decoding_step_has_its_bytes_and_its_ceiling(string varied)
    {
        TestDevices.Show();
        var entries = await EntriesAsync($"decode --preset tiny --context 512 --batch 3 {varied}");
        Assert.Equal(s_attentions, entries.Select(e => e.GetProperty("attention").GetString()));
        CheckCeilings(entries);
        // 2 dense layers, 2 KV heads of 16, in fp32; blocks of 16 tokens
        int[] blocks = varied.Length == 0 ? [32, 32, 32] : [32, 24, 16];
        double cache = blocks.Sum() * 16.0 * 2 * 2 * 2 * 16 * 4,
            weights = 4.0 * Training.TrainingPreset.Find("tiny").Model.ParameterCount;
        Assert.Equal(weights + cache, entries[0].GetProperty("bytes").GetDouble());
    }

    [Fact]
    public async Task Sizes_that_cannot_be_are_refused()
    {
        TestDevices.Show();
        await Tool.RefuseAsync("bench train --preset huge", "--preset must be");
        await Tool.RefuseAsync($"bench matmul --device {TestDevices.Small} --rows 0", "--rows must be");
        await Tool.RefuseAsync("bench decode --device nowhere", "unknown device 'nowhere'");
    }

    [Fact]
    public void Varied_lengths_return_after_more_calls_than_plans_are_kept()
    {
        var lengths = new VariedSequences(1000, VariedSequences.Lengths, tokens =>
            SequenceBatch.Padded([tokens], [tokens]));
        int[] counts = [.. Enumerable.Range(0, 2 * VariedSequences.Lengths)
            .Select(_ => lengths.Next().MaxKeyCount)];
        Assert.Equal(VariedSequences.Lengths, counts.Distinct().Count());
        Assert.True(VariedSequences.Lengths > Attention.PlanCache.Capacity);
        Assert.Equal((940, 1000), (counts.Min(), counts.Max()));
        Assert.Equal(counts[0], counts[VariedSequences.Lengths]);
    }

    [Fact]
    public void Varied_attention_measures_every_work()
    {
        using var engine = new CpuEngine();
        var settings = DeviceBenchSettings.For(DeviceKind.Emulated, isQuick: true) with { IsVaried = true };
        var device = new DeviceInfo("d", "d", DeviceKind.Emulated, 0, 1, "");
        var report = new DeviceBench(engine, device, settings).Run(_ => { }, TestContext.Current.CancellationToken);
        Assert.Empty(report.Notes);
        Assert.Equal(6, report.Entries.Count);
    }

    private static void CheckCeilings(JsonElement[] entries)
    {
        Assert.Equal(1, entries[0].GetProperty("ceiling").GetDouble());
        Assert.Equal(JsonValueKind.Null, entries[0].GetProperty("speedUp").ValueKind);
        double s2 = entries[1].GetProperty("ceiling").GetDouble(),
            hybrid = entries[2].GetProperty("ceiling").GetDouble();
        Assert.True(s2 > hybrid && hybrid > 1, $"{s2} {hybrid}");
        Assert.True(entries[1].GetProperty("speedUp").GetDouble() > 0);
    }

    private static async Task<JsonElement[]> EntriesAsync(string bench)
    {
        string text = await Tool.SucceedAsync($"bench {bench} --device {TestDevices.Small} --json");
        using var json = JsonDocument.Parse(text);
        Assert.Empty(json.RootElement.GetProperty("notes").EnumerateArray());
        Assert.Equal(TestDevices.Small, json.RootElement.GetProperty("deviceId").GetString());
        return [.. json.RootElement.GetProperty("entries").EnumerateArray().Select(e => e.Clone())];
    }
}
