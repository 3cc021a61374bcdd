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
            ("hostSeconds", "hostHours", "hostHours"), ("\"*\": { \"fixed\"", "\"Nothing\": { \"fixed\"", "no cost")])
        {
            File.WriteAllText(bad, Costs.Replace(from, to));
            await Tool.RefuseAsync($"simulate training --costs {bad} --preset tiny --ranks 2", message);
        }
    }
}
