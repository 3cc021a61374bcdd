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

    [Fact]
    public async Task A_kernel_that_fails_is_named_and_the_others_are_printed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "a program of sh");
        using var folder = new TemporaryFolder();
        // an assembler that refuses one architecture, and a disassembler that finds nothing
        folder.Write("ptxas", """
            #!/bin/sh
            case "$1" in -arch=sm_80) echo "ptxas fatal: refused" >&2; exit 3;; esac
            echo "Compiling entry function"
            echo "8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads"
            echo "Used 21 registers"
            """);
        folder.Write("cuobjdump", "#!/bin/sh\n");
        foreach (string program in new[] { "ptxas", "cuobjdump" })
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(folder[program], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var run = await ToolProcess.ShellAsync(
            $"PATH='{folder.FullPath}':\"$PATH\" $s2 kernels --only copy --quick --json");
        Assert.Equal(1, run.ExitCode);
        string[] variants = ["copy-fp32-fp32", "copy-bf16-bf16", "copy-fp16-fp16"];
        using var document = JsonDocument.Parse(run.Output);
        Assert.Equal(variants.SelectMany(variant => new[] { "sm_75", "sm_90", "opencl" }, (v, arch) => (v, arch)),
            document.RootElement.EnumerateArray().Select(row =>
                (row.GetProperty("variant").GetString()!, row.GetProperty("arch").GetString()!)));
        Assert.All(document.RootElement.EnumerateArray().Where(row => row.GetProperty("arch").GetString() == "sm_90"),
            row => Assert.Equal((21, 16, 8), (row.GetProperty("registers").GetInt32(),
                row.GetProperty("spillBytes").GetInt32(), row.GetProperty("stackBytes").GetInt32())));
        Assert.Equal(variants.Select(v => $"error: {v}, sm_80: ptxas failed with exit code 3: ptxas fatal: refused"),
            run.Error.TrimEnd('\n').Split('\n'));
    }

    [Theory]
    [InlineData("--only", "frobnicate", "no kernel 'frobnicate'")]
    [InlineData("--arch", "sm_12", "--arch must be sm_75, sm_80, sm_90 or opencl")]
    public Task Bad_input_is_one_line_and_exit_code_2(string option, string value, string message) =>
        Tool.RefuseAsync($"kernels {option} {value}", message);
}
