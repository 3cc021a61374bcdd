using Microsoft.Playwright;
using S2ILGPU.Serving.Tests;
using Xunit;

namespace S2ILGPU.WebPage.Tests;

/// <summary>Chromium without a window, where it is installed.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome"];

    private static readonly string? s_program = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator)
        .SelectMany(folder => s_names.Select(name => Path.Combine(folder, name)))
        .FirstOrDefault(File.Exists);

    // Only a page that hangs waits so long: a busy machine must not fail a test.
    private const float HangMilliseconds = 600_000;

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <inheritdoc />
    public async ValueTask InitializeAsync()
    {
        if (s_program is null)
            return;
        _playwright = await Playwright.CreateAsync();
        Assertions.SetDefaultExpectTimeout(HangMilliseconds);
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = s_program,
            Timeout = HangMilliseconds,
            Args = ["--no-sandbox"],                                     // which the root of a container needs
        });
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>Opens the page of a server; skips the test where there is no Chromium.</summary>
    internal async Task<Visit> VisitAsync(TestServer server, ColorScheme scheme = ColorScheme.Light,
        Func<IPage, Task>? prepare = null)
    {
        Assert.SkipWhen(_browser is null, $"needs one of {string.Join(", ", s_names)} on the PATH");
        var context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = scheme,
            ReducedMotion = ReducedMotion.Reduce,
            ViewportSize = new ViewportSize { Width = 1360, Height = 860 },
        });
        context.SetDefaultTimeout(HangMilliseconds);
        return await Visit.OpenAsync(context, server.Host.Address, prepare);
    }
}
