using System.Diagnostics;
using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class DeviceBenchCommandTests : IDisposable
{
    private const string Shape = """ "headDim": 64, "heads": 32, "kvHeads": 8, "dtype": "bf16", "tokens": 4096 """;

    private static readonly string s_ours = $$"""
        {"device": "GPU A", "entries": [
          {"work": "forward", "pattern": "dense", "milliseconds": 8, "ceiling": 1, {{Shape}}},
          {"work": "forward", "pattern": "B64 L16 s8", "milliseconds": 2, "ceiling": 4.56789, {{Shape}}},
          {"work": "backward", "pattern": "dense", "milliseconds": 16, {{Shape}}},
          {"work": "decode", "pattern": "dense", "milliseconds": 0.5, "sequences": 4, {{Shape}}}]}
        """;

    private static readonly string s_peers = $$"""
        {"device": "GPU B", "notes": ["cudnn: too old"], "entries": [
          {"peer": "flash", "work": "forward", "pattern": "dense", "milliseconds": 4, {{Shape}}},
          {"peer": "flex", "work": "forward", "pattern": "B64 L16 s8", "milliseconds": 3, {{Shape}}},
          {"peer": "flash", "work": "forward+backward", "pattern": "dense", "milliseconds": 12, {{Shape}}},
          {"peer": "flash", "work": "decode", "pattern": "dense", "milliseconds": 1, {{Shape}}}]}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("s2-device-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Every_work_and_pattern_has_an_entry()
    {
        TestDevices.Show();
        string file = Path.Combine(_folder, "ours.json");
        string text = await Tool.SucceedAsync($"bench attention --device {TestDevices.Small} --out {file}");
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var entries = json.RootElement.GetProperty("entries").EnumerateArray().ToArray();
        Assert.Equal(["forward dense", "forward B64 L1 s2", "backward dense", "backward B64 L1 s2", "decode dense",
            "decode B64 L1 s2"],
            entries.Select(e => $"{e.GetProperty("work")} {e.GetProperty("pattern")}"));
        Assert.Equal(entries.Length + 2, text.Split('\n').Length); // the device, and the end of the last line
        foreach (var entry in entries)
        {
            double milliseconds = entry.GetProperty("milliseconds").GetDouble(),
                flops = entry.GetProperty("keptFlops").GetDouble();
            Assert.InRange(milliseconds, double.Epsilon, double.MaxValue);
            Assert.Equal(flops / milliseconds / 1e9, entry.GetProperty("teraFlops").GetDouble(),
                tolerance: 1e-4 * flops / milliseconds / 1e9);
            bool isDense = entry.GetProperty("pattern").GetString() == "dense";
            Assert.Equal(isDense, entry.GetProperty("speedUp").ValueKind == JsonValueKind.Null);
            Assert.True(isDense ? entry.GetProperty("ceiling").GetDouble() == 1
                : entry.GetProperty("ceiling").GetDouble() > 1);
        }
        // 4 blocks of 64: 10 causal blocks of 2 heads; L1 s2 with one KV head keeps the diagonal and even columns: 1 +
        // 2 + 2 + 3.
        const double FlopsPerBlock = 4.0 * 64 * 64 * 64 * 2;
        Assert.Equal([10 * FlopsPerBlock, 8 * FlopsPerBlock],
            entries[..2].Select(e => e.GetProperty("keptFlops").GetDouble()));
        Assert.Equal(1.25, entries[1].GetProperty("ceiling").GetDouble());
        // the narrowest cache that the engine takes
        Assert.Equal(["fp32", "fp32", "fp32", "fp32", "bf16", "bf16"],
            entries.Select(e => e.GetProperty("dtype").GetString()));
        Assert.Empty(json.RootElement.GetProperty("notes").EnumerateArray());
        Assert.True(entries[4].GetProperty("gigabytesPerSecond").GetDouble() > 0
            && entries[4].GetProperty("tokensPerSecond").GetDouble() > 0);
        Assert.Equal(TestDevices.Small, json.RootElement.GetProperty("deviceId").GetString());
        Assert.Equal(TimesFile.Read(file).Times.Count, entries.Length);
    }

    [Fact]
    public void What_does_not_fit_is_left_out_with_a_note()
    {
        using var engine = new CpuEngine();
        var settings = DeviceBenchSettings.For(DeviceKind.Emulated, isQuick: true) with { Tokens = [128, 1 << 20],
            Works = ["forward"] };
        var device = new DeviceInfo("small", "small", DeviceKind.Cpu, MemoryBytes: 100_000_000, 1, "");
        var report = new DeviceBench(engine, device, settings).Run(_ => { }, TestContext.Current.CancellationToken);
        Assert.All(report.Entries.Cast<DeviceEntry>(), e => Assert.Equal(128, e.Shape.Tokens));
        Assert.Matches("^forward D64 H2/1 fp32, 1048576 tokens: left out, needs about .* GB of 0.1 GB$",
            Assert.Single(report.Notes));
        Assert.True(engine.PeakBytes < device.MemoryBytes);
    }

    [Fact]
    public void Sizes_for_gpus_are_the_documented_ones()
    {
        var settings = DeviceBenchSettings.For(DeviceKind.Cuda, isQuick: false);
        Assert.Equal((32, 8, 1024, 131072),
            (settings.Heads, settings.KeyValueHeads, settings.Tokens[0], settings.Tokens[^1]));
        Assert.Equal([64, 128], settings.HeadDims.Order());
        Assert.Equal(["dense", "B64 L16 s8", "B64 L8 s32", "B64 L8 s16"], settings.Patterns.Select(p => p.Name));
    }

    [Fact]
    public void Variants_take_turns_between_synchronisations()
    {
        using var engine = new CpuEngine();
        using var timer = new DeviceTimer(engine);
        var calls = new List<int>();
        var timings = timer.Time(new Rounds(3, 3, 0, WarmUpSeconds: 0), batchSeconds: 0, Yardsticks.PeakAllThreads,
            TestContext.Current.CancellationToken, () => Slowly(0), () => Slowly(1));
        Assert.Null(timings.PeakAllThreads); // no machine to measure
        Assert.Equal([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], calls); // two rounds to warm up, three measured
        Assert.All(timings[0].Values.Concat(timings[1].Values), seconds =>
            Assert.InRange(seconds, 0.004, double.MaxValue));

        void Slowly(int variant)
        {
            calls.Add(variant);
            Thread.Sleep(5);
        }
    }

    [Fact]
    public async Task Files_are_joined_by_shape()
    {
        string text =
            await Tool.SucceedAsync($"bench compare {Write("ours.json", s_ours)} {Write("peers.json", s_peers)}");
        Assert.Contains("ours on GPU A, peers on GPU B", text);
        Assert.Matches(@"forward D64 H32/8 bf16, 4096 tokens +dense +8\.000 +8\.000 +- +- +4\.000 \(0\.50x\) +-", text);
        Assert.Matches(
            @"forward D64 H32/8 bf16, 4096 tokens +B64 L16 s8 +2\.000 +8\.000 +4\.00x +4\.57x +"
            + @"dense 4\.000 \(2\.00x\) +3\.000 \(1\.50x\)", text);
        Assert.Matches(
            @"forward\+backward D64 H32/8 bf16, 4096 tokens +dense +24\.0 +24\.0 +- +- +12\.0 \(0\.50x\)", text);
        Assert.Contains("without a peer: decode D64 H32/8 bf16, 4 x 4096 tokens, dense", text);
        Assert.Contains("not measured by us: decode D64 H32/8 bf16, 4096 tokens, dense of flash", text);
        Assert.Contains("left out by the peers: cudnn: too old", text);
        Assert.DoesNotContain("without a peer: backward", text); // it is part of forward+backward
    }

    [Fact]
    public async Task The_table_is_markdown_or_json_too()
    {
        string files = $"{Write("ours.json", s_ours)} {Write("peers.json", s_peers)}";
        string[] markdown = (await Tool.SucceedAsync($"bench compare {files} --format markdown")).Split('\n');
        Assert.Contains("| shape | pattern | ours ms | dense ms | speed-up | ceiling | flash | flex |", markdown);
        Assert.Contains(
            "| forward D64 H32/8 bf16, 4096 tokens | B64 L16 s8 | 2.000 | 8.000 | 4.00x | 4.57x | dense 4.000 (2.00x) "
            + "| 3.000 (1.50x) |", markdown);
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"bench compare {files} --format json"));
        var rows = json.RootElement.GetProperty("rows").EnumerateArray().ToArray();
        Assert.Equal(["forward", "forward", "forward+backward"], rows.Select(r => r.GetProperty("work").GetString()));
        var flex = rows[1].GetProperty("peers")[1];
        Assert.Equal(("flex", "B64 L16 s8", 1.5),
            (flex.GetProperty("peer").GetString(), flex.GetProperty("pattern").GetString(),
            flex.GetProperty("ratio").GetDouble()));
        Assert.Equal((4, 4.56789), (rows[1].GetProperty("speedUp").GetDouble(),
            rows[1].GetProperty("ceiling").GetDouble()));
        Assert.DoesNotContain(rows[0].EnumerateObject(), member => member.Name is "speedUp" or "ceiling"); // dense
        Assert.Single(json.RootElement.GetProperty("onlyOurs").EnumerateArray());
        Assert.Single(json.RootElement.GetProperty("onlyPeers").EnumerateArray());
    }

    [Theory]
    [InlineData("[1, 2", "is not JSON")]
    [InlineData("[]", "has no entries")]
    [InlineData("""{"device": "d"}""", "has no entries")]
    [InlineData("""{"entries": []}""", "has no device")]
    [InlineData("""{"device": "d", "entries": {}}""", "entries must be an array, got an object")]
    [InlineData("""{"device": "d", "entries": [7]}""", "entries[0] is not an object")]
    [InlineData("""{"device": "d", "entries": [{"work": "forward"}]}""", "entries[0] has no headDim")]
    [InlineData("""{"device": "d", "entries": [{"work": "forward", "headDim": 1.5}]}""",
        "headDim must be a whole number above 0, got 1.5")]
    [InlineData(
        """{"device": "d", "entries": [{"peer": "p", "work": "w", "headDim": 1, "heads": 1, "kvHeads": 1, "dtype": "t", "pattern": "p", "tokens": 1, "milliseconds": 0}]}""",
        "milliseconds must be above 0")]
    [InlineData(
        """{"device": "d", "entries": [{"work": "w", "headDim": 1, "heads": 1, "kvHeads": 1, "dtype": "t", "pattern": "p", "tokens": 1, "milliseconds": 1}]}""", "does not say which peer")]
    [InlineData(
        """{"device": "d", "entries": [{"peer": "p", "work": "w", "headDim": 1, "heads": 1, "kvHeads": 1, "dtype": "t", "pattern": "p", "tokens": 1, "milliseconds": 1, "ceiling": 0}]}""",
        "ceiling must be above 0")]
    public async Task Broken_files_give_one_line(string peers, string message) =>
        await Tool.RefuseAsync($"bench compare {Write("ours.json", s_ours)} {Write("peers.json", peers)}",
        "peers.json", message);

    [Fact]
    public async Task Files_in_the_wrong_order_or_missing_are_refused()
    {
        string ours = Write("ours.json", s_ours), peers = Write("peers.json", s_peers),
            twice = Write("twice.json", s_ours.Replace("\"backward\"", "\"forward\""));
        await Tool.RefuseAsync($"bench compare {peers} {ours}", "has times of flash");
        await Tool.RefuseAsync($"bench compare {twice} {peers}", "is listed 2 times");
        await Tool.RefuseAsync($"bench compare {ours} {_folder}/none.json", "none.json");
        await Tool.RefuseAsync("bench compare", "compare");
        await Tool.RefuseAsync($"bench attention --device cpu --out {_folder}/none/ours.json", "none");
        await Tool.RefuseAsync("bench attention --device nowhere", "unknown device 'nowhere'");
    }

    [Fact]
    public async Task The_script_for_peers_runs_on_the_shapes_of_our_file()
    {
        string script = ScriptOf("attention_peers.py"), peers = Path.Combine(_folder, "peers.json");
        string shapes = Write("shapes.json", """
            {"device": "d", "entries": [
              {"work": "forward", "pattern": "dense", "headDim": 64, "heads": 4, "kvHeads": 2, "dtype": "fp32", "tokens": 128, "milliseconds": 1},
              {"work": "forward", "pattern": "B64 L1 s2", "headDim": 64, "heads": 4, "kvHeads": 2, "dtype": "fp32", "tokens": 128, "milliseconds": 1},
              {"work": "backward", "pattern": "dense", "headDim": 64, "heads": 4, "kvHeads": 2, "dtype": "fp32", "tokens": 128, "milliseconds": 1},
              {"work": "decode", "pattern": "dense", "headDim": 64, "heads": 4, "kvHeads": 2, "dtype": "fp32", "tokens": 128, "sequences": 2, "milliseconds": 1}]}
            """);
        int code = await PythonAsync(script, "--device", "cpu", "--quick", "--minutes", "0", "--shapes", shapes,
            "--out", peers);
        if (code == 3)
            Assert.Skip("PyTorch is not installed for python3");
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"bench compare {shapes} {peers} --format json"));
        Assert.Equal(["forward", "forward", "backward", "decode"],
            json.RootElement.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("work").GetString()));
        Assert.Empty(json.RootElement.GetProperty("onlyPeers").EnumerateArray());
    }

    private static async Task<int> PythonAsync(params string[] arguments)
    {
        try
        {
            using var python =
                Process.Start(new ProcessStartInfo("python3", arguments) { RedirectStandardError = true,
                RedirectStandardOutput = true })!;
            string error = await python.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await python.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(python.ExitCode is 0 or 3, error);
            return python.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("there is no python3");
            return -1;
        }
    }

    // The tool carries the scripts of bench/peers in itself.
    private string ScriptOf(string name)
    {
        string path = Path.Combine(_folder, name);
        using var file = File.Create(path);
        using var script = typeof(CommandLine).Assembly.GetManifestResourceStream(name)!;
        script.CopyTo(file);
        return path;
    }

    private string Write(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }
}
