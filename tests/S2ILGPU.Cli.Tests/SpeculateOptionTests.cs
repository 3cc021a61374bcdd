using System.Text.RegularExpressions;
using S2ILGPU.Cpu;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class SpeculateOptionTests
{
    [Fact]
    public async Task A_text_stays_the_same_and_a_line_says_what_was_saved()
    {
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine);
        string command = $"generate --model {folder.FullPath} --prompt abababab --max-tokens 40 --temperature 0 "
            + "--device cpu";
        string text = await Tool.SucceedAsync(command);
        var run = await Tool.RunAsync($"{command} --speculate 7");
        Assert.Equal((0, text), (run.ExitCode, run.Output));
        var counts = Regex.Match(run.Error,
            @"^speculation: (\d+) tokens proposed in (\d+) steps, (\d+) accepted: (\d+) steps saved\n$");
        Assert.True(counts.Success, run.Error);
        int[] values = [.. counts.Groups.Values.Skip(1).Select(group => int.Parse(group.Value))];
        Assert.InRange(values[2], 0, values[0]);
        Assert.InRange(values[1], values[0] > 0 ? 1 : 0, values[0]);
        Assert.Equal(values[2], values[3]);
    }
}
