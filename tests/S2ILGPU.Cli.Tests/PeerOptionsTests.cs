using S2ILGPU.Cpu;
using S2ILGPU.Peers;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>The command line of <c>bench/S2ILGPU.Peers</c>.</summary>
public sealed class PeerOptionsTests
{
    [Fact]
    public void A_command_line_is_read()
    {
        Assert.Equal(new PeerOptions("onnx"), PeerOptions.Parse(["onnx"]));
        Assert.Equal(double.PositiveInfinity, new PeerOptions("onnx").Minutes);
        Assert.Equal(new PeerOptions("torch", IsQuick: true, IsJson: true, Threads: 3, Only: "D64", Minutes: 0.5),
            PeerOptions.Parse(["torch", "--minutes", "0.5", "--quick", "--only", "D64", "--json", "--threads", "3"]));
    }

    [Theory]
    [InlineData("the first argument must be torch, onnx or llama, got nothing")]
    [InlineData("the first argument must be torch, onnx or llama, got --quick", "--quick", "torch")]
    [InlineData("--minutes must be a number above 0, got -5", "torch", "--minutes", "-5")]
    [InlineData("--minutes must be a number above 0, got NaN", "torch", "--minutes", "NaN")]
    [InlineData("--minutes must be a number above 0, got Infinity", "torch", "--minutes", "Infinity")]
    [InlineData("--minutes must be a number above 0, got 0", "torch", "--minutes", "0")]
    [InlineData("--minutes needs a value", "torch", "--quick", "--minutes")]
    [InlineData("--threads must be a whole number, 0 for all processors, got -1", "torch", "--threads", "-1")]
    [InlineData("--only needs a value", "torch", "--only", "")]
    [InlineData("unknown option --slow", "torch", "--slow")]
    public void What_is_wrong_is_named(string message, params string[] arguments) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => PeerOptions.Parse(arguments)).Message);

    [Fact]
    public void A_text_that_no_name_holds_is_refused_with_the_names()
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        var report = new PeerReport("torch", engine, new PeerOptions("torch", Only: "D46"));
        Assert.False(report.Wants("attention D64"));
        Assert.False(report.Wants("attention D128"));
        Assert.False(report.Wants("attention D64"));
        Assert.Equal("--only D46 is in the name of no figure; there are: attention D64; attention D128",
            Assert.Throws<UsageException>(report.CheckNames).Message);
        Assert.True(report.Wants("Attention d46, 4096 tokens"));
        report.CheckNames();
    }

    [Fact]
    public void What_the_time_does_not_reach_is_left_out_and_no_wrong_name()
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        var report = new PeerReport("torch", engine, new PeerOptions("torch", Minutes: double.Epsilon));
        Assert.False(report.Wants("attention D64"));
        report.CheckNames();
        Assert.Contains("left out, the time was over: attention D64", report.ToTable());
    }

    [Fact]
    public void A_missing_library_has_its_cause()
    {
        var cause = new TypeInitializationException("NativeApi", new DllNotFoundException("no libllama.so\nmore"));
        Assert.Equal("no library loads: no libllama.so", PeerMissingException.Of("no library loads", cause).Message);
        Assert.Equal("no library loads: GLIBC_2.38 is missing",
            PeerMissingException.Of("no library loads", cause, "GLIBC_2.38 is missing\n").Message);
    }
}
