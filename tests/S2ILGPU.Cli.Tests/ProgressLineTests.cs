using System.Globalization;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class ProgressLineTests
{
    private const string Erase = "\r\e[K";

    [Fact]
    public void It_is_rewritten_below_the_result_and_gone_at_the_end()
    {
        using var screen = new StringWriter(CultureInfo.InvariantCulture);
        var time = new SetTime();
        using (var line = new ProgressLine(screen, isShown: true, "kernels", 2, time))
        {
            line.Start();
            time.Now = TimeSpan.FromSeconds(7);
            line.Advance();
            line.Above(() => screen.Write("first\n"));
            line.Advance();
            line.Above(() => screen.Write("second\n"));
        }
        string[] drawn = screen.ToString().Split(Erase);
        Assert.Equal(["", "0/2 kernels", "1/2 kernels, 7 s left", "first\n", "1/2 kernels, 7 s left",
            "2/2 kernels, 0 s left", "second\n", ""], drawn);
    }

    [Fact]
    public void Nothing_is_written_where_nobody_looks()
    {
        using var screen = new StringWriter(CultureInfo.InvariantCulture);
        using (var line = new ProgressLine(screen, isShown: false, "kernels", 1))
        {
            line.Start();
            line.Advance();
            line.Above(() => { });
        }
        Assert.Equal("", screen.ToString());
    }

    [Fact]
    public void Loading_shows_each_percentage_once()
    {
        using var screen = new StringWriter(CultureInfo.InvariantCulture);
        using (var line = new LoadingLine(screen, "folder", isShown: true))
            foreach (double fraction in (double[])[0.004, 0.009, 0.5, 0.501, 1])
                line.Report(fraction);
        Assert.Equal(["", "0 % of folder read", "50 % of folder read", "100 % of folder read", ""],
            screen.ToString().Split(Erase));
        using var silent = new StringWriter(CultureInfo.InvariantCulture);
        using (var line = new LoadingLine(silent, "folder"))
            line.Report(0.5);
        Assert.Equal("", silent.ToString());
    }
}
