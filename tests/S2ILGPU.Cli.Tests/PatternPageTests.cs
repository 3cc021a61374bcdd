using System.Diagnostics;
using System.Text.Json;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class PatternPageTests
{
    private const string Options =
        "--heads 4 --kv-heads 2 --tokens 640 --block-size 16 --local-blocks 2 --vert-stride 4";

    [Fact]
    public async Task Page_is_one_file_that_asks_nothing_of_the_network()
    {
        using var folder = new TemporaryFolder();
        await Tool.SucceedAsync($"pattern {Options} --out {folder["pattern.html"]}");
        string page = File.ReadAllText(folder["pattern.html"]);
        Assert.Contains("""{"queryHeads":4,"keyValueHeads":2,"tokens":640,"blockTokens":16,"localBlocks":2,""", page);
        Assert.DoesNotContain("http:", page);
        Assert.DoesNotContain("https:", page);
        Assert.DoesNotContain("/*PARAMETERS*/", page);
        await Tool.RefuseAsync($"pattern {Options} --non-causal --format html", "--non-causal");
    }

    [Fact]
    public async Task Numbers_of_the_page_are_those_of_the_report()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipUnless(HasNode(), "node is not installed");
        string page = await Tool.SucceedAsync($"pattern {Options} --format html");
        string script = page.Split("<script>")[1].Split("const numbers")[0];
        var random = Seeds.NewRandom();
        var patterns = new List<(LocalStridePattern Pattern, int Tokens)>();
        for (int n = 0; n < 20; n++)
        {
            int kv = 1 << random.Next(4), heads = kv << random.Next(3), tokens = random.Next(1, 3000);
            var stripes = new StripeOptions
            {
                HeadOffset = random.Next(9),
                DenseHeads = random.Next(0, kv),
                SlideByQueryHead = random.Next(2) == 0,
                HomogeneousHeads = random.Next(4) == 0,
            };
            int blockTokens = 16 << random.Next(4);
            var pattern = new LocalStridePattern(heads, kv, blockTokens, random.Next(1, 9), random.Next(1, 20),
                stripes);
            patterns.Add((pattern, tokens));
            script += $$"""
                {
                const p = {queryHeads:{{heads}},keyValueHeads:{{kv}},tokens:{{tokens}},
                blockTokens:{{blockTokens}},localBlocks:{{pattern.LocalBlocks}},verticalStride:{{pattern.VerticalStride}},
                headOffset:{{stripes.HeadOffset}},denseHeads:{{stripes.DenseHeads}},
                slideBy:"{{(stripes.SlideByQueryHead ? "query" : "kv")}}",
                homogeneousHeads:{{(stripes.HomogeneousHeads ? "true" : "false")}}}, drawn = patternOf(p);
                let hash = 0;
                for (let h = 0; h < drawn.heads; h++) for (let i = 0; i < drawn.blocks; i++) for (let j = 0; j <= i; j++)
                  if (drawn.keeps(h, i, j)) hash = (hash * 31 + h + i + j) % 1000003;
                console.log(JSON.stringify({...describe(p), hash}));
                }

                """;
        }
        string[] lines = (await NodeAsync(script)).TrimEnd().Split('\n');
        Assert.Equal(patterns.Count, lines.Length);
        foreach (var ((pattern, tokens), line) in patterns.Zip(lines))
        {
            var report = PatternReport.Of(pattern, tokens);
            using var json = JsonDocument.Parse(line);
            string what = $"{pattern}, {tokens} tokens, {Seeds.Text}";
            Assert.True(report.KeptBlocksPerHead.SequenceEqual(Numbers(json, "perHead").Select(x => (long)x)), what);
            Assert.True(report.DenseBlocks == json.RootElement.GetProperty("dense").GetInt64(), what);
            Assert.True(report.Coverage.MissingResidues.SequenceEqual(Numbers(json, "missing")), what);
            Assert.True(report.KeptCacheBlocks.SequenceEqual(Numbers(json, "cache")), what);
            Assert.True(Hash(report.Layout) == json.RootElement.GetProperty("hash").GetInt32(), what);
        }
    }

    // A number that changes with any kept block; the page's script computes the same of what it draws.
    private static int Hash(BlockLayout layout)
    {
        int hash = 0;
        for (int head = 0; head < layout.Heads; head++)
            for (int row = 0; row < layout.QueryBlocks; row++)
            {
                var kept = layout.Row(head, row);
                foreach (int column in (int[])[.. kept.Full, .. kept.Partial])
                    hash = ((hash * 31) + head + row + column) % 1_000_003;
            }
        return hash;
    }

    private static IEnumerable<int> Numbers(JsonDocument json, string name) =>
        json.RootElement.GetProperty(name).EnumerateArray().Select(e => e.GetInt32());

    private static async Task<string> NodeAsync(string script)
    {
        using var node = Process.Start(new ProcessStartInfo("node", ["-"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        await node.StandardInput.WriteAsync(script);
        node.StandardInput.Close();
        string output = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        return output;
    }

    private static bool HasNode()
    {
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", ["--version"])
            {
                RedirectStandardOutput = true,
            });
            node!.WaitForExit();
            return node.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
