using System.Text.Json;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class DesignCommandTests
{
    [Fact]
    public async Task Patterns_are_within_the_budget_and_agree_with_their_reports()
    {
        string text = await Tool.SucceedAsync("design --heads 32 --kv-heads 8 --context 8192 --budget 30 --json");
        using var json = JsonDocument.Parse(text);
        var patterns = json.RootElement.GetProperty("patterns").EnumerateArray().ToArray();
        Assert.Equal(12, patterns.Length);
        foreach (var found in patterns)
        {
            var report = PatternReport.Of(new LocalStridePattern(32, 8, 64, Number(found, "localBlocks"),
                Number(found, "verticalStride"), new StripeOptions
                {
                    SlideByQueryHead = found.GetProperty("slideBy").GetString() == "query",
                }), 8192);
            Assert.InRange(report.KeptCacheFraction, 0, 0.3);
            Assert.Equal(report.KeptCacheFraction, found.GetProperty("cacheFraction").GetDouble(), 1e-12);
            Assert.Equal(report.DenseOverSparse, found.GetProperty("ceiling").GetDouble(), 1e-9);
            Assert.Equal(report.LoadImbalance, found.GetProperty("loadImbalance").GetDouble(), 1e-12);
            Assert.Equal(report.Coverage.MissingResidues.Count == 0,
                found.GetProperty("coveredFraction").GetDouble() == 1);
        }
        double[] covered = [.. patterns.Select(p => p.GetProperty("coveredFraction").GetDouble())];
        Assert.Equal(covered.OrderDescending(), covered);
    }

    [Fact]
    public async Task Conflict_between_coverage_and_cache_is_shown()
    {
        // 2 KV heads cannot cover a stride of 64 alone.
        string text = await Tool.SucceedAsync("design --heads 8 --kv-heads 2 --tokens 16384");
        Assert.Contains("smallest cache with complete coverage", text);
        Assert.Matches("smallest cache of all .* --vert-stride 64 --slide-by kv, covers 3", text);
        Assert.Contains("--count shows more", text);
        Assert.Contains("no pattern keeps so little",
            await Tool.SucceedAsync("design --heads 8 --tokens 1024 --budget 0.5"));
    }

    [Fact]
    public async Task Bad_input_is_one_line()
    {
        await Tool.RefuseAsync("design --tokens 1024", "--heads");
        await Tool.RefuseAsync("design --heads 8 --kv-heads 3 --tokens 1024", "--kv-heads", "3");
        await Tool.RefuseAsync("design --heads 8 --tokens 1024 --budget 101", "--budget", "101");
    }

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();
}
