using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Bench.Report;
using S2ILGPU.Cli.Commands;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cpu;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>s2 bench report</c>, at sizes that say nothing about speed.</summary>
public sealed partial class ReportBenchTests : IDisposable
{
    private static readonly Rounds s_twice = new(2, 2, 0, WarmUpSeconds: 0);
    private static readonly ReportSettings s_tiny = new()
    {
        Minutes = 60,
        HeadDims = [32, 64],
        Patterns = [DevicePattern.Dense, new(1, 2), new(1, 4)],
        Tokens = [256, 512],
        DecodeTokens = [128, 256, 512],
        DecodeOverCache = 0.01,
        ProductPreset = "tiny",
        ProductRows = 16,
        TrainingPreset = "tiny",
        TrainingTokens = [64, 128],
        LayoutTokens = [1024, 2048],
        GenerationPreset = "tiny",
        GenerationTokens = [64, 128],
        Rounds = s_twice,
        BatchSeconds = 0,
        Machine = new BenchSettings { ReadBytes = 1 << 20, LayoutRounds = s_twice, PeerRounds = s_twice,
            MatMulRows = 16 },
    };

    // The first peer has figures, the others miss their libraries.
    private static readonly PeerProgram s_peers = new(["sh", "-c", """
        [ $1 = torch ] || { echo $1: skipped, no library; exit; }
        echo '{"peer": "torch", "version": "lib 1.0", "figures": ['
        echo '{"name": "n", "ours": "dense", "oursMs": 1.5, "peerMs": 3, "ratio": 2, "spread": 0.25, "note": ""},'
        echo '{"name": "m", "ours": "s2", "oursMs": 0.1, "peerMs": 3, "ratio": 30, "spread": 0, "note": "a | b"}],'
        echo '"leftOut": ["long", "longer"]}'
        """, "peers"]);

    private readonly string _folder = Directory.CreateTempSubdirectory("s2-report-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_page_has_the_figures_of_its_json()
    {
        TestScale.SkipUnlessDrawn(2);
        var lines = new List<string>();
        var run = new ReportRun(s_tiny, "s2 bench report --peers", lines.Add, TestContext.Current.CancellationToken);
        string folder = Path.Combine(_folder, "new", "machine");
        using var output = new StringWriter();
        Assert.Equal(0, await ReportBenchCommand.RunAsync(folder, () => run.RunWithPeers(s_peers), output,
            TestContext.Current.CancellationToken));
        Assert.Equal(Path.Combine(folder, "report.md"), output.ToString().Trim());
        string page = File.ReadAllText(Path.Combine(folder, "report.md"));
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "report.json")));
        var root = json.RootElement;

        CheckFacts(page, root);
        CheckTable(page, "", root, "headlines", _ => true, "name", "speedUp x", "speedUpSpread x/2", "ceiling x",
            "fraction %");
        string[] ofPeak = ["ofPeak %", "ofPeakSpread %/2"], ofRead = ["ofReadRate %", "ofReadRateSpread %/2"],
            speedUp = ["speedUp x", "speedUpSpread x/2", "ceiling x", "fraction %"];
        foreach (string work in (string[])["forward", "backward"])
            CheckTable(page, $"Attention {work}", root, "entries", e => Is(e, "work", work), ["headDim", "tokens",
                "pattern", "milliseconds", "spread /2", "teraFlops *1000", .. ofPeak, .. speedUp]);
        CheckTable(page, "Decoding", root, "entries", e => Is(e, "work", "decode"), ["sequences", "tokens", "pattern",
            "milliseconds", "spread /2", "keptBytes M/sequences", "gigabytesPerSecond", .. ofRead, .. speedUp]);
        CheckTable(page, "Matrix products", root, "products", _ => true, ["product", "work", "dtype", "",
            "milliseconds", "spread /2", "teraFlops *1000", .. ofPeak]);
        CheckTable(page, "Building layouts", root, "layouts", _ => true, "tokens", "rowsMilliseconds", "rowsSpread /2",
            "milliseconds", "spread /2", "forwardMilliseconds", "ofForward %", "ofForwardSpread %/2");
        CheckTable(page, "Training step", root, "models", e => Is(e, "work", "training"), ["tokens", "attention",
            "milliseconds", "spread /2", "tokensPerSecond", .. ofPeak, .. speedUp]);
        CheckTable(page, "Generation", root, "models", e => Is(e, "work", "decode"), ["tokens", "attention",
            "milliseconds", "spread /2", "tokensPerSecond", "bytes M/sequences", .. ofRead, .. speedUp]);
        CheckTable(page, "Beside other libraries", root.GetProperty("peers")[0], "figures", _ => true, "name", "ours",
            "oursMs", "peerMs", "ratio x", "spread x/2", "note");
        Assert.Contains("\nlib 1.0:\n", page);
        Assert.Contains("\nLeft out, the time was over: long; longer.\n", page);
        CheckPlots(page, folder);
        await CheckComparisonAsync(folder, root);
        Assert.Contains(lines, line => line.Contains("forward D64"));
    }

    [Fact]
    public async Task What_the_time_does_not_reach_is_said()
    {
        TestScale.SkipUnlessDrawn(2);
        var run = new ReportRun(s_tiny with { Minutes = 0 }, "", _ => { }, TestContext.Current.CancellationToken);
        await ReportBenchCommand.RunAsync(_folder, () => run.RunWithPeers(null), TextWriter.Null,
            TestContext.Current.CancellationToken);
        string page = File.ReadAllText(Path.Combine(_folder, "report.md"));
        foreach (string what in (string[])["attention forward D32", "attention backward D64", "training step",
            "generation"])
            Assert.Matches($"\n- {what}, [0-9]+ tokens: would take about [0-9.]+ minutes, 0.0 are left for it\n", page);
        Assert.Contains("D32 | left out |", page);
        Assert.Contains("\n## Training step\n\nLeft out, see below.\n", page);
        Assert.All(PeerProgram.Names, peer => Assert.Contains($"\n- {peer}: {PeerProgram.NotBuilt}\n", page));
        Assert.Equal(["decode-rate.svg", "decode-speed-up.svg", "layouts.svg", "products.svg"],
            Directory.GetFiles(_folder, "*.svg").Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_cancelled_run_leaves_the_old_page()
    {
        TestScale.SkipUnlessDrawn(2);
        string page = Path.Combine(_folder, "report.md"), missing = Path.Combine(_folder, "a", "b");
        File.WriteAllText(page, "old");
        foreach (string folder in (string[])[_folder, missing])
        {
            using var source = new CancellationTokenSource();
            var ended = new TaskCompletionSource();
            // The forward pass is measured; what follows is not.
            var run = new ReportRun(s_tiny, "", line =>
            {
                if (line.StartsWith("forward", StringComparison.Ordinal))
                    source.Cancel();
            }, source.Token);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReportBenchCommand.RunAsync(folder, () =>
            {
                try
                {
                    return run.Run();
                }
                finally
                {
                    ended.SetResult();
                }
            }, TextWriter.Null, source.Token));
            await ended.Task; // the run stops by itself too
        }
        Assert.Equal([page], Directory.GetFileSystemEntries(_folder));
        Assert.Equal("old", File.ReadAllText(page));
    }

    [Fact]
    public async Task The_command_ends_at_once_and_refuses_a_file()
    {
        string page = Path.Combine(_folder, "report.md");
        File.WriteAllText(page, "old");
        using var interruption = new Interruption();
        interruption.Raise(2);
        var run = await Tool.RunAsync($"bench report --quick --out {_folder}", interruption);
        Assert.Equal((Interruption.ByInterrupt, "error: interrupted\n"), (run.ExitCode, run.Error));
        Assert.Equal("old", File.ReadAllText(page));
        await Tool.RefuseAsync($"bench report --out {page}", "--out", "is a file, a folder was expected");
    }

    [Fact]
    public void Lengths_are_those_that_the_machine_reaches_in_the_time()
    {
        TestScale.SkipUnlessDrawn(2);
        var all = new ReportPlan(ReportSettings.Quick, peakFlops: 1e15, memoryBytes: 1e15, minutes: 16);
        Assert.Empty(all.LeftOut);
        Assert.All(all.Forward.Concat(all.Backward), tokens => Assert.Equal(ReportSettings.Quick.Tokens, tokens));
        Assert.Equal(ReportSettings.Quick.TrainingTokens, all.Training);
        Assert.InRange(all.EstimatedMinutes, 0, 16);

        // 2 cores with AVX2: all headlines are reached, and all stays within the time.
        var server = new ReportPlan(ReportSettings.Quick, peakFlops: 200e9, memoryBytes: 24e9, minutes: 16);
        Assert.Equal(ReportSettings.Quick.Tokens, server.Forward[0]);
        Assert.Equal(ReportSettings.Quick.TrainingTokens, server.Training);
        Assert.InRange(server.EstimatedMinutes, 5, 16);
        Assert.Contains(server.LeftOut, line => LeftOut().IsMatch(line));
        Assert.Contains(server.LeftOut, line => line.StartsWith("attention backward D128, 131,072 tokens: would take "
            + "about ", StringComparison.Ordinal));

        var slow = new ReportPlan(ReportSettings.Quick, peakFlops: 5e9, memoryBytes: 24e9, minutes: 16);
        Assert.True(slow.LeftOut.Count > server.LeftOut.Count && slow.EstimatedMinutes <= 16);
        var small = new ReportPlan(ReportSettings.Quick, peakFlops: 1e15, memoryBytes: 2e9, minutes: 16);
        Assert.Contains(small.LeftOut, line => Regex.IsMatch(line,
            "^training step, 32,768 tokens: needs about [0-9.]+ GB of 2.0 GB$"));
        Assert.Empty(new ReportPlan(ReportSettings.Quick, 200e9, 24e9, minutes: 0).Training);
    }

    [Fact]
    public void A_headline_is_no_higher_than_its_ceiling()
    {
        Headline above = new("forward", 30.96, 1, 25.7, "0.77 MB"), below = new("forward", 20, 1, 25.7, "0.77 MB");
        Assert.Equal(25.7, above.SpeedUp);
        Assert.Equal("0.77 MB; more was measured: dense waited for memory or a busy machine", above.Remark);
        Assert.Equal((20, "0.77 MB"), (below.SpeedUp, below.Remark));
        Assert.Null((above with { Measured = null }).SpeedUp);
        var facts = new ReportFacts(new MachineFacts("p", "e", 1, Cpu.Simd.SimdWidth.Bits256, new CacheSizes(1, 1, 1)),
            new DateOnly(2026, 1, 2), null, "", 1, new MachineLimits(new Dictionary<int, Limit>(), default));
        string table = ReportTables.Headlines(new MachineReport(facts, [above], [], [], [], [], [], [], [], []));
        Assert.Contains("| forward | 25.70x | 0.50x | 25.70x | 100.0 % | 0.77 MB; more was measured: ", table);
        Assert.DoesNotContain("30.96", table);
    }

    [Theory]
    [InlineData("amd-epyc-avx2-2-cores", "AMD EPYC", 2)]
    [InlineData("intel-r-xeon-r-platinum-8488c-avx2-1-core", "Intel(R) Xeon(R) Platinum 8488C", 1)]
    public void A_machine_has_a_folder_of_its_own(string name, string processor, int cores) => Assert.Equal(name,
        new MachineFacts(processor, "", cores, Cpu.Simd.SimdWidth.Bits256, new CacheSizes(1, 1, 1)).FolderName);

    private static void CheckFacts(string page, JsonElement root)
    {
        Assert.StartsWith("# Benchmarks: ", page);
        Assert.Contains($"Machine: {root.GetProperty("machine").GetString()}. ", page);
        Assert.Contains($"`s2 bench report --peers`, {root.GetProperty("date").GetString()}", page);
        if (root.GetProperty("commit").GetString() is { } commit)
            Assert.Contains($", commit {commit[..10]}, ", page);
        Assert.Contains("## What it does not show", page);
        foreach (string peer in PeerProgram.Names.Skip(1))
            Assert.Contains($"\n- {peer}: skipped, no library\n", page);
        Assert.Empty(root.GetProperty("leftOut").EnumerateArray());
        Assert.All(root.GetProperty("notes").EnumerateArray(), note => Assert.Contains($"\n- {note}\n", page));
        Assert.All(root.GetProperty("headlines").EnumerateArray(), headline =>
            Assert.True(headline.GetProperty("speedUp").GetDouble() > 0
                && headline.GetProperty("ceiling").GetDouble() >= 1
                && headline.GetProperty("fraction").GetDouble() <= 1, $"{headline}"));
    }

    // A column is a member, what its number is divided or multiplied by, and its unit; without a name it is not
    // compared.
    private static void CheckTable(string page, string title, JsonElement root, string array,
        Func<JsonElement, bool> isMeant, params string[] columns)
    {
        string section = title.Length == 0 ? page : page[page.IndexOf($"\n## {title}\n", StringComparison.Ordinal)..];
        string[][] rows = [.. Table().Match(section).Value.Trim().Split('\n').Skip(2)
            .Select(row => Cells().Split(row)[1..^1].Select(cell => cell.Trim()).ToArray())];
        var entries = root.GetProperty(array).EnumerateArray().Where(isMeant).ToArray();
        Assert.NotEmpty(entries);
        Assert.Equal(entries.Length, rows.Length);
        foreach (var (entry, row) in entries.Zip(rows))
            foreach (var (column, cell) in columns.Zip(row))
                if (column.Length > 0)
                    CheckCell(entry, column, cell);
    }

    private static void CheckCell(JsonElement entry, string column, string cell)
    {
        string[] parts = column.Split(' ');
        var member = entry.GetProperty(parts[0]);
        string what = $"{column} of {entry}: {cell}";
        if (member.ValueKind == JsonValueKind.String)
        {
            Assert.True(member.GetString() == cell.Replace("\\|", "|"), what);
            return;
        }
        // Dense is not compared with itself.
        if (member.ValueKind == JsonValueKind.Null
            || (parts[0] == "ceiling" && entry.GetProperty("speedUp").ValueKind == JsonValueKind.Null))
        {
            Assert.True(cell.Length == 0, what);
            return;
        }
        double expected = member.GetDouble() * (parts.Length == 1 ? 1 : parts[1] switch
        {
            "x" => 1,
            "x/2" or "/2" => 0.5,
            "%" => 100,
            "%/2" => 50,
            "*1000" => 1000,
            "M/sequences" => 1e-6 / entry.GetProperty("sequences").GetInt32(),
            _ => throw new ArgumentException(parts[1]),
        });
        string number = cell.Replace(",", "").TrimEnd('x', '%', ' ');
        int digits = number.Contains('.') ? number.Length - number.IndexOf('.') - 1 : 0;
        double tolerance = 0.5 * Math.Pow(10, -digits) + 1e-5 * Math.Abs(expected);
        Assert.True(Math.Abs(double.Parse(number, CultureInfo.InvariantCulture) - expected) <= tolerance, what);
        Assert.True(parts.Length == 1 || cell.EndsWith('x') == parts[1].StartsWith('x'), what);
        Assert.True(parts.Length == 1 || cell.EndsWith('%') == parts[1].StartsWith('%'), what);
    }

    private static void CheckPlots(string page, string folder)
    {
        string[] plots = [.. Directory.GetFiles(folder, "*.svg").Order()];
        Assert.Equal(["backward-rate", "backward-speed-up", "decode-rate", "decode-speed-up", "forward-rate",
            "forward-speed-up", "generation", "layouts", "products", "training"],
            plots.Select(Path.GetFileNameWithoutExtension));
        foreach (string plot in plots)
        {
            Assert.Equal("svg", XDocument.Load(plot).Root!.Name.LocalName);
            // The products' ceiling is the right end of the axis: 100 %.
            Assert.Contains(plot.EndsWith("products.svg", StringComparison.Ordinal) ? "100 %" : "stroke-dasharray",
                File.ReadAllText(plot));
            Assert.Contains($"]({Path.GetFileName(plot)})", page);
        }
        Assert.Equal(plots.Length + 2, Directory.GetFileSystemEntries(folder).Length);
    }

    // The file is one of those that s2 bench compare joins with times of others.
    private async Task CheckComparisonAsync(string folder, JsonElement root)
    {
        string ours = Path.Combine(folder, "report.json"), peers = Path.Combine(_folder, "peers.json");
        Assert.Equal(root.GetProperty("entries").GetArrayLength(), TimesFile.Read(ours).Times.Count);
        var first = root.GetProperty("entries")[0];
        string[] shape = ["work", "headDim", "heads", "kvHeads", "dtype", "pattern", "tokens"];
        string members = string.Join(", ", shape.Select(name => $"\"{name}\": {first.GetProperty(name).GetRawText()}"));
        double milliseconds = 2 * first.GetProperty("milliseconds").GetDouble();
        File.WriteAllText(peers, string.Create(CultureInfo.InvariantCulture,
            $$"""{"device": "d", "entries": [{"peer": "half", {{members}}, "milliseconds": {{milliseconds}}}]}"""));
        Assert.Contains("(2.00x)", await Tool.SucceedAsync($"bench compare {ours} {peers}"));
    }

    private static bool Is(JsonElement entry, string name, string value) =>
        entry.GetProperty(name).GetString() == value;

    [GeneratedRegex(@"^\|.*\|\n(\|.*\|\n)+", RegexOptions.Multiline)]
    private static partial Regex Table();

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Cells();

    [GeneratedRegex("^[a-z]+.*, [0-9,]+ tokens: would take about [0-9.]+ minutes, [0-9.]+ are left for it$")]
    private static partial Regex LeftOut();
}
