using System.Text.Json;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary><c>s2 kernels</c>.</summary>
public sealed class KernelsCommandTests
{
    private static readonly string[] s_names =
        ["kernel", "variant", "arch", "tensorCore", "ptxBytes", "registers", "spillBytes", "stackBytes", "sharedBytes",
        "loopInstructions", "hmma", "ldsm", "ldgsts", "ex2"];

    [LongFact]
    public async Task Json_has_a_row_for_each_kernel_and_architecture()
    {
        var result = await Tool.RunAsync("kernels --json --only forward-bf16-d64-rows64");
        Assert.Equal(0, result.ExitCode);
        using var document = JsonDocument.Parse(result.Output);
        JsonElement[] rows = [.. document.RootElement.EnumerateArray()];
        Assert.Equal(["sm_80", "sm_90"], rows.Select(row => row.GetProperty("arch").GetString()).Order().Distinct());
        Assert.All(rows, row => Assert.Equal(s_names, row.EnumerateObject().Select(property => property.Name)));
        Assert.All(rows, row => Assert.True(row.GetProperty("tensorCore").GetBoolean()
            && row.GetProperty("kernel").GetString() == "forward" && row.GetProperty("ptxBytes").GetInt32() > 10_000));
        // null where the tools are missing, numbers where they are there
        var loop = rows[0].GetProperty("hmma");
        if (loop.ValueKind == JsonValueKind.Null)
            Assert.Equal(JsonValueKind.Null, rows[0].GetProperty("ldsm").ValueKind);
        else
            Assert.InRange(loop.GetInt32(), 1, rows[0].GetProperty("loopInstructions").GetInt32() - 1);
    }

    [Fact]
    public async Task Portable_kernels_are_compiled_to_OpenCL_too()
    {
        var result = await Tool.RunAsync("kernels --only decode --arch opencl");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("opencl", result.Output);
        Assert.DoesNotContain("sm_80", result.Output);
    }

    [Fact]
    public async Task Kernels_of_rows_are_reported_too()
    {
        var result = await Tool.RunAsync("kernels --only copy --arch sm_80 --quick --json");
        Assert.Equal(0, result.ExitCode);
        using var document = JsonDocument.Parse(result.Output);
        JsonElement[] rows = [.. document.RootElement.EnumerateArray()];
        // not those that convert
        Assert.Equal(["copy-fp32-fp32", "copy-bf16-bf16", "copy-fp16-fp16"],
            rows.Select(row => row.GetProperty("variant").GetString()));
        Assert.All(rows, row => Assert.False(row.GetProperty("tensorCore").GetBoolean()));
        if (ChildProcess.IsOnPath("ptxas"))
            Assert.All(rows, row => Assert.Equal((0, 0),
                (row.GetProperty("spillBytes").GetInt32(), row.GetProperty("stackBytes").GetInt32())));
    }

    [Fact]
    public async Task Prints_what_a_kernel_becomes()
    {
        string ptx = await Tool.SucceedAsync("kernels --only decode-fp32 --arch sm_80 --quick --print source");
        Assert.StartsWith("// decode-fp32, sm_80", ptx);
        Assert.Contains(".target sm_80", ptx);
        var loop = await Tool.RunAsync("kernels --only decode-fp32 --arch sm_80 --quick --print loop");
        if (ChildProcess.IsOnPath("ptxas") && ChildProcess.IsOnPath("cuobjdump"))
            Assert.Contains("no loop with products on tensor cores", loop.Output);
        else
            Assert.Equal((1, "error: --print loop needs ptxas and cuobjdump on the path\n"),
                (loop.ExitCode, loop.Error));
    }

    [Theory]
    [InlineData("--only", "frobnicate", "no kernel 'frobnicate'")]
    [InlineData("--arch", "sm_12", "--arch must be sm_75, sm_80, sm_90 or opencl")]
    public Task Bad_input_is_one_line_and_exit_code_2(string option, string value, string message) =>
        Tool.RefuseAsync($"kernels {option} {value}", message);
}
