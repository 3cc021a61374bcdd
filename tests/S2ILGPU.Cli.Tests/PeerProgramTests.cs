using S2ILGPU.Cli.Bench.Report;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>The program with other libraries that <c>s2 bench report --peers</c> starts; here a shell in its
/// place.</summary>
public sealed class PeerProgramTests : IDisposable
{
    private static readonly TimeSpan s_noLimit = TimeSpan.FromMinutes(10);

    private readonly string _folder = Directory.CreateTempSubdirectory("s2-peers-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Figures_are_those_that_the_program_prints()
    {
        var figures = Shell("""
            echo working >&2
            echo '{"peer": "'$1'", "version": "lib 1.0", "figures": [{"name": "n", "ours": "dense", "oursMs": 1.5,'
            echo '"peerMs": 3, "ratio": 2, "spread": 0.25, "error": null, "note": "'$2 $3 $4 $5'"}],'
            echo '"leftOut": ["long"]}'
            """).Run("torch", isQuick: true, s_noLimit, Token);
        Assert.Equal(("torch", "lib 1.0"), (figures.Peer, figures.Version));
        Assert.Equal([new PeerFigure("n", "dense", 1.5, 3, 2, 0.25, "--json --minutes 7.00 --quick")], figures.Figures);
        Assert.Equal(["long"], figures.LeftOut);
    }

    [Theory]
    [InlineData("echo 'onnx: skipped, this build is without it'", "skipped, this build is without it")]
    [InlineData("echo first >&2; echo 'onnx: products differ' >&2; exit 1", "exit code 1: onnx: products differ")]
    [InlineData("echo '{\"peer\": 1}'", "it printed something else than figures")]
    [InlineData("echo '{'", "it printed something else than figures")]
    public void Why_there_are_no_figures_is_said(string script, string reason) => Assert.Equal(reason,
        Assert.Throws<PeerMissingException>(() => Shell(script).Run("onnx", false, s_noLimit, Token)).Message);

    // The program takes no time of 0: it would be none.
    [Fact]
    public void The_last_minute_is_not_rounded_to_no_limit() => Assert.Equal("0.01", Shell("""
        echo '{"peer": "'$1'", "version": "'$4'", "figures": [], "leftOut": []}'
        """).Run("torch", isQuick: false, TimeSpan.FromSeconds(0.4), Token).Version);

    [Fact]
    public void A_program_that_is_not_there_is_said()
    {
        var program = new PeerProgram([Path.Combine(_folder, "none")]);
        Assert.Contains("does not start", Assert.Throws<PeerMissingException>(() =>
            program.Run("torch", false, s_noLimit, Token)).Message);
    }

    [Fact]
    public void A_program_that_takes_too_long_is_ended()
    {
        Assert.Equal("ended after 0.0 minutes, the time for it", Assert.Throws<PeerMissingException>(() =>
            Shell("exec sleep 600").Run("torch", false, TimeSpan.Zero, Token)).Message);
    }

    [Fact]
    public async Task A_cancelled_program_ends_with_its_files()
    {
        string started = Path.Combine(_folder, "started");
        using var source = new CancellationTokenSource();
        var run = Task.Run(() => Shell($"echo model > $TMPDIR/model; echo $TMPDIR > {started}.new; "
            + $"mv {started}.new {started}; exec sleep 600").Run("llama", false, s_noLimit, source.Token), Token);
        while (!File.Exists(started) && !run.IsCompleted)
            await Task.Delay(10, Token);
        string temporary = File.ReadAllText(started).Trim();
        Assert.True(File.Exists(Path.Combine(temporary, "model")));
        source.Cancel(); // returns when the program has ended
        Assert.False(Directory.Exists(temporary));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
    }

    [Fact]
    public void The_program_is_that_of_the_checkout_around_a_folder()
    {
        string inner = Path.Combine(_folder, "docs", "benchmarks"),
            output = Path.Combine(_folder, "bench", "S2ILGPU.Peers", "bin", "Release", "net10.0");
        Directory.CreateDirectory(inner);
        Assert.Null(PeerProgram.Find(inner));
        Directory.CreateDirectory(output);
        Assert.Null(PeerProgram.Find(inner));
        File.WriteAllText(Path.Combine(output, "S2ILGPU.Peers.dll"), "");
        Assert.NotNull(PeerProgram.Find(inner));
    }

    private static PeerProgram Shell(string script) => new(["sh", "-c", script, "peers"]);
}
