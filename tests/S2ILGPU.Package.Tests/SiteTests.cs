using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Package.Tests;

/// <summary>The documentation site.</summary>
public sealed class SiteTests
{
    [LongFact]
    public async Task Site_builds_without_a_broken_link()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the script needs bash");
        await ChildProcess.RunAsync("bash", Repository.PathOf(".ci", "site"));
        string site = Repository.PathOf("artifacts", "site");
        Assert.Contains("choosing a pattern", await File.ReadAllTextAsync(Path.Combine(site, "index.html"),
            TestContext.Current.CancellationToken));
        Assert.True(File.Exists(Path.Combine(site, "api", "S2ILGPU.Ops.SparseAttention.html")));
    }
}
