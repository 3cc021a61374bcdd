using Microsoft.Playwright;
using Xunit;

namespace S2ILGPU.WebPage.Tests;

/// <summary>An open page. Notes what it logs as an error and what it loads from elsewhere.</summary>
internal sealed class Visit : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _faults = [];

    private Visit(IBrowserContext context, IPage page) => (_context, Page) = (context, page);

    public IPage Page { get; }

    public static async Task<Visit> OpenAsync(IBrowserContext context, string address, Func<IPage, Task>? prepare)
    {
        var visit = new Visit(context, await context.NewPageAsync());
        var page = visit.Page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                visit.Note($"console: {message.Text}");
        };
        page.PageError += (_, error) => visit.Note($"exception: {error}");
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(address + "/", StringComparison.Ordinal))
                visit.Note($"request elsewhere: {request.Url}");
        };
        if (prepare is not null)
            await prepare(page);
        await page.GotoAsync(address + "/");
        return visit;
    }

    /// <summary>Waits for a text.</summary>
    public Task ExpectAsync(string selector, string text) =>
        Assertions.Expect(Page.Locator(selector)).ToContainTextAsync(text);

    /// <summary>Moves the focus with the Tab key alone.</summary>
    public async Task TabToAsync(string id)
    {
        for (int presses = 0; presses < 40; presses++)
        {
            if (await Page.EvaluateAsync<string>("document.activeElement.id") == id)
                return;
            await Page.Keyboard.PressAsync("Tab");
        }
        Assert.Fail($"the Tab key does not reach #{id}");
    }

    /// <summary>Keeps a picture of the whole page in the folder TestResults and with the report of the test.</summary>
    public async Task TakeScreenshotAsync(string name)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "TestResults");
        Directory.CreateDirectory(folder);
        byte[] image = await Page.ScreenshotAsync(new PageScreenshotOptions
        {
            Path = Path.Combine(folder, $"{name}.png"),
            FullPage = true,
        });
        TestContext.Current.AddAttachment(name, image, "image/png");
    }

    /// <summary>Demands that the page logged no error and loaded nothing from elsewhere.</summary>
    /// <param name="expected">A part of faults that the test provokes.</param>
    public void CheckFaults(string? expected = null)
    {
        lock (_faults)
            Assert.DoesNotContain(_faults, fault =>
                expected is null || !fault.Contains(expected, StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();

    private void Note(string fault)
    {
        lock (_faults)
            _faults.Add(fault);
    }
}
