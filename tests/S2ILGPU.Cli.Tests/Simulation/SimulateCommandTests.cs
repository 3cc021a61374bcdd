using System.Text.Json;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

public sealed class SimulateCommandTests
{
    private const string Costs = """
        {
          "name": "test machine",
          "operations": { "MatMul": { "fixed": 1e-6, "perUnit": 1e-12 }, "*": { "fixed": 1e-6, "perUnit": 1e-12 } },
          "hostSeconds": 0,
          "processors": 0,
          "contention": [],
          "transports": [
            { "name": "wire", "ranks": 0, "overlap": 0.9, "isTree": true,
              "exchanges": { "*": { "perMessage": 1e-6, "perByte": 1e-11 } } }
          ]
        }
        """;

    [Fact]
    public async Task Predicts_up_to_thousands_of_ranks()
    {
        TestScale.SkipUnlessDrawn(2);
        using var folder = new TemporaryFolder();
        string costs = folder.Write("costs.json", Costs), plot = folder["ranks.svg"];
        string command = $"simulate training --costs {costs} --preset tiny --attention s2 --ranks 4096 "
            + "--context-parallel 2 --tensor-parallel 2";
        string text = await Tool.SucceedAsync($"{command} --plot {plot}");
        Assert.Contains("test machine", text);
        Assert.Contains("   4,096", text);
        Assert.Contains("exchanges and waiting", text);
        Assert.Contains("memory of a rank", text);
        Assert.StartsWith("<svg", File.ReadAllText(plot));
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{command} --json"));
        var rows = json.RootElement.EnumerateArray().ToArray();
        Assert.Equal([4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
            rows.Select(row => row.GetProperty("ranks").GetInt32()));
        Assert.All(rows, row => Assert.Equal(row.GetProperty("stepSeconds").GetDouble(),
            row.GetProperty("parts").EnumerateObject().Sum(part => part.Value.GetDouble()), 1e-9));
        Assert.Equal(json.RootElement.GetRawText(),
            JsonDocument.Parse(await Tool.SucceedAsync($"{command} --json")).RootElement.GetRawText());
    }

    [Fact]
    public async Task The_costs_in_the_documentation_are_read() => Assert.Contains("assumed: H100",
        await Tool.SucceedAsync($"simulate training --costs {Repository.PathOf("docs", "simulate-gpu.json")} "
            + "--preset tiny --precision bf16 --ranks 16"));

    [Fact]
    public async Task A_machine_predicts_its_own_runs()
    {
        TestScale.SkipUnlessDrawn(2);
        using var folder = new TemporaryFolder();
        string costs = folder["costs.json"];
        using var runs = JsonDocument.Parse(await Tool.SucceedAsync(
            $"simulate calibrate --preset tiny --rounds 1 --ranks 2 --json --out {costs}"));
        Assert.Equal([(2, 1, 1), (1, 2, 1), (1, 1, 2)], runs.RootElement.EnumerateArray().Select(run =>
            (run.GetProperty("dataParallel").GetInt32(), run.GetProperty("contextParallel").GetInt32(),
                run.GetProperty("tensorParallel").GetInt32())));
        // Whatever the machine does meanwhile, times are above 0, and a step of 2 ranks takes no less than half of what
        // they take from processors.
        Assert.All(runs.RootElement.EnumerateArray(), run =>
        {
            double Number(string name) => run.GetProperty(name).GetDouble();
            Assert.True(Number("predictedProcessorSeconds") > 0 && Number("measuredProcessorSeconds") > 0);
            Assert.True(Number("predictedSeconds") >= 0.49 * Number("predictedProcessorSeconds"), run.ToString());
        });
        // What it writes is read.
        using var json = JsonDocument.Parse(await Tool.SucceedAsync(
            $"simulate training --costs {costs} --preset tiny --ranks 2 --json"));
        Assert.Equal(2, json.RootElement.GetArrayLength());
    }

    [Fact]
    public async Task Predicts_servers_under_traffic()
    {
        using var folder = new TemporaryFolder();
        string costs = folder.Write("costs.json", Costs), plot = folder["serving.svg"];
        string command = $"simulate serving --costs {costs} --preset tiny --attention s2 --rate 100 --texts 20 "
            + "--prompt-tokens 20 --output-tokens 10 --instances 2 --hours-between-failures 0.0001";
        string text = await Tool.SucceedAsync($"{command} --plot {plot}");
        Assert.Contains("test machine", text);
        Assert.Contains("first token", text);
        Assert.StartsWith("<svg", File.ReadAllText(plot));
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{command} --json"));
        var rows = json.RootElement.EnumerateArray().ToArray();
        Assert.Equal([("dense", 12.5), ("dense", 25), ("dense", 50), ("dense", 100), ("s2", 12.5), ("s2", 25),
            ("s2", 50), ("s2", 100)], rows.Select(row => (row.GetProperty("attention").GetString()!,
                row.GetProperty("textsPerSecond").GetDouble())));
        Assert.All(rows, row => Assert.Equal((0, 0), (row.GetProperty("lostTexts").GetInt32(),
            row.GetProperty("lostPages").GetInt32())));
        Assert.Equal(json.RootElement.GetRawText(),
            JsonDocument.Parse(await Tool.SucceedAsync($"{command} --json")).RootElement.GetRawText());
    }

    [Fact]
    public async Task A_machine_predicts_its_own_server()
    {
        using var folder = new TemporaryFolder();
        string costs = folder["costs.json"];
        using var runs = JsonDocument.Parse(await Tool.SucceedAsync(
            $"simulate calibrate-serving --preset tiny --attention s2 --rounds 1 --json --out {costs}"));
        Assert.Equal(["dense", "dense", "dense", "s2", "s2", "s2"],
            runs.RootElement.EnumerateArray().Select(run => run.GetProperty("attention").GetString()!));
        // Whatever the machine does meanwhile, times are above 0.
        Assert.All(runs.RootElement.EnumerateArray(), run => Assert.All((string[])["measured", "predicted"], kind =>
            Assert.True(run.GetProperty(kind).GetProperty("tokensPerSecond").GetDouble() > 0
                && run.GetProperty(kind).GetProperty("firstTokenSeconds50").GetDouble() > 0, run.ToString())));
        // What it writes is read.
        using var json = JsonDocument.Parse(await Tool.SucceedAsync(
            $"simulate serving --costs {costs} --preset tiny --rate 10 --texts 4 --json"));
        Assert.Equal(8, json.RootElement.GetArrayLength());
    }

    [Fact]
    public async Task Bad_traffic_is_refused()
    {
        using var folder = new TemporaryFolder();
        string costs = folder.Write("costs.json", Costs), serving = $"simulate serving --costs {costs} --preset tiny";
        await Tool.RefuseAsync(serving, "--rate");
        await Tool.RefuseAsync($"{serving} --rate 0", "--rate must be a number from 1E-06 to 1000000000, got 0");
        await Tool.RefuseAsync($"{serving} --rate 1 --sequences 64 --max-batch-tokens 64",
            "--max-batch-tokens 64 must be above --sequences 64");
        await Tool.RefuseAsync($"{serving} --rate 1 --prefix-share 0.5 --prefix-tokens 127",
            "a shared prefix of 127 tokens leaves no room for a text in a context of 128");
        await Tool.RefuseAsync($"{serving} --rate 1 --cache-bytes 5000", "5000 are allowed");
        string shared = folder.Write("shared.json", Costs.Replace("\"processors\": 0", "\"processors\": 2"));
        await Tool.RefuseAsync($"simulate serving --costs {shared} --preset tiny --rate 1 --instances 3",
            "--instances 3: the machine of --costs has 2 processors");
    }

    [Fact]
    public async Task Bad_input_is_refused()
    {
        using var folder = new TemporaryFolder();
        string costs = folder.Write("costs.json", Costs), bad = folder["bad.json"];
        await Tool.RefuseAsync($"simulate training --costs {costs} --ranks 6 --tensor-parallel 4",
            "--context-parallel 1 and --tensor-parallel 4 do not divide the 6 ranks");
        await Tool.RefuseAsync("simulate training --costs nowhere.json --ranks 2", "nowhere.json");
        await Tool.RefuseAsync($"simulate training --costs {costs} --ranks 4 --preset tiny --tensor-parallel 4",
            "4 ranks cannot share 2 key/value heads");
        await Tool.RefuseAsync($"simulate training --costs {costs}", "--ranks");
        foreach (var (from, to, message) in ((string, string, string)[])[
            ("\"ranks\": 0", "\"ranks\": 8", "the last transport must connect all ranks"),
            ("0.9", "1.9", "overlap outside 0 to 1"), ("1e-6, \"perByte\"", "-1, \"perByte\"", "below 0"),
            ("hostSeconds", "hostHours", "unknown field 'hostHours'"),
            ("\"name\"", "name", "not valid JSON: fault at line"),
            (Costs, "", "not valid JSON: fault at line 1, byte 1"),
            (Costs, "{}", "fields are missing: 'name'"), ("\"processors\": ", "\"processors\": {}, \"x\": ",
                "wrong value of processors, line"), ("\"*\": { \"fixed\"", "\"Nothing\": { \"fixed\"", "no cost")])
        {
            File.WriteAllText(bad, Costs.Replace(from, to));
            await Tool.RefuseAsync($"simulate training --costs {bad} --preset tiny --ranks 2", message);
        }
    }
}
