using System.Globalization;
using Microsoft.Playwright;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.WebPage.Tests;

public sealed class WebPageTests(Browser browser) : IClassFixture<Browser>
{
    private const string Message = "some text to learn from";

    // Long enough for a picture.
    private static readonly TransformerConfig s_config = TinyModelFolder.Config with
    {
        Dim = 32,
        Layers = 4,
        QueryHeads = 8,
        KeyValueHeads = 4,
        ContextTokens = 8192,
        Attention = new AttentionPlan([new DenseAttention { BlockTokens = 16 },
            .. Enumerable.Repeat(new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 3, VerticalStride = 4 }, 3),
        ]),
    };

    [Fact]
    public async Task Chat_streams_the_text_that_the_model_gives()
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync();
        await using var visit = await browser.VisitAsync(server);
        await SendAsync(visit, maxTokens: 40);
        await visit.ExpectAsync(".assistant .figures", "40 tokens");
        string expected = server.Alone($"user: {Message}\nassistant:", 40, new SamplingOptions { Temperature = 0 });
        Assert.Equal(expected, await visit.Page.EvaluateAsync<string>(
            "document.querySelector('.assistant .text').textContent"));
        await visit.ExpectAsync("#announcement", "The answer is complete");
        await visit.ExpectAsync("#first-token", " s");
        visit.CheckFaults();
    }

    [Fact]
    public async Task Keyboard_alone_writes_reads_the_picture_and_stops()
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync(config: s_config);
        await using var visit = await browser.VisitAsync(server);
        var page = visit.Page;
        using (server.SlowDown())
        {
            await SendAsync(visit, maxTokens: 8000);
            await visit.ExpectAsync("#scope", "2 together");
            await Assertions.Expect(page.Locator("canvas")).ToHaveCountAsync(4);
            await visit.TabToAsync("stop");
            await page.Keyboard.PressAsync("Enter");
            await visit.ExpectAsync(".assistant .figures", "stopped");
            Assert.Equal("prompt", await page.EvaluateAsync<string>("document.activeElement.id"));
            await visit.ExpectAsync("#scope", "1 together"); // the other request
            await visit.TabToAsync("sequence");
            await page.Keyboard.PressAsync("Tab");
            await visit.ExpectAsync("#readout-spoken", "Layer 1, KV head 0, block 0 (tokens 0 to 15): kept");
            await page.Keyboard.PressAsync("ArrowDown");
        }
        await server.BecomeIdleAsync();
        await visit.ExpectAsync("#scope", "the last picture");
        await page.Keyboard.PressAsync("ArrowRight");
        await visit.ExpectAsync("#readout-spoken", "Layer 1, KV head 1, block 1 (tokens 16 to 31): kept");
        await page.Keyboard.PressAsync("End");
        await page.Keyboard.PressAsync("Home");
        await visit.ExpectAsync("#readout", "Layer 1, KV head 1, block 0 ");
        visit.CheckFaults();
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Picture_has_the_numbers_of_the_pool(ColorScheme scheme)
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync(config: s_config);
        // One moment of two running requests, served again and again. They are slow: a cell of the picture is wide.
        CacheMoment moment;
        using (server.SlowDown(promptTokens: 400))
        using (server.SlowDown(promptTokens: 400))
            moment = await CacheMoment.WaitAsync(server, sequences: 2, tokens: 400);
        await using var visit = await browser.VisitAsync(server, scheme, page => page.RouteAsync("**/cache*",
            route => route.FulfillAsync(new() { Body = moment.Json, ContentType = "application/json" })));
        var page = visit.Page;
        await visit.ExpectAsync("#used-pages", moment.UsedPages.ToString(CultureInfo.InvariantCulture));
        await visit.ExpectAsync("#running", "2");
        Assert.Equal(3, await page.Locator("#sequence option").CountAsync());
        Assert.Equal(moment.UsedPages, moment.PagesInPicture);
        Assert.Equal(moment.UsedPages, await page.EvaluateAsync<long>(CacheMoment.PagesInCanvases));
        await visit.ExpectAsync("h3 span >> nth=0", "dense: 100 %, together 100 %");
        await visit.ExpectAsync("h3 span >> nth=1", " %, together 100 %");
        var box = (await page.Locator("canvas").Nth(1).BoundingBoxAsync())!;
        await page.Mouse.MoveAsync(box.X + 48, box.Y + 8);
        await visit.ExpectAsync("#readout", "Layer 2, KV head 0, block 0 (tokens 0 to 15): of 2 blocks ");
        await page.FillAsync("#prompt", Message);
        await page.FillAsync("#max-tokens", "60");
        await page.ClickAsync("#send");
        await visit.ExpectAsync(".assistant .figures", "60 tokens");
        await page.Mouse.MoveAsync(box.X + 55, box.Y + 8);
        await visit.TakeScreenshotAsync($"web-page-{scheme}".ToLowerInvariant());
        visit.CheckFaults();
    }

    [Fact]
    public async Task Answer_that_was_overtaken_is_not_shown()
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync();
        string json = await server.Client.GetStringAsync("/cache");
        Assert.Contains("\"queued\":0,", json);
        int calls = 0;
        TaskCompletionSource isSecondShown = new(), isFirstTold = new();
        await using var visit = await browser.VisitAsync(server, prepare: page => page.RouteAsync("**/cache*",
            async route =>
            {
                // Each answer has its number.
                int call = Interlocked.Increment(ref calls);
                await (call == 1 ? isSecondShown.Task : call == 2 ? Task.CompletedTask : isFirstTold.Task);
                await route.FulfillAsync(new()
                {
                    Body = json.Replace("\"queued\":0,", $"\"queued\":{call},"),
                    ContentType = "application/json",
                });
                if (call == 1)
                    isFirstTold.SetResult();
            }));
        var page = visit.Page;
        await page.EvaluateAsync("""
            (() => {
                const queued = document.getElementById("queued");
                window.shown = [];
                new MutationObserver(() => shown.push(queued.textContent)).observe(queued, { childList: true });
                document.dispatchEvent(new Event("visibilitychange"));
            })()
            """);
        await visit.ExpectAsync("#queued", "2");
        isSecondShown.SetResult();
        await visit.ExpectAsync("#queued", "3");
        Assert.Equal(["2", "3"], (await page.EvaluateAsync<string[]>("shown")).Take(2));
        visit.CheckFaults();
    }

    [Fact]
    public async Task Key_is_asked_for_and_kept_in_the_tab()
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync(o => o with { ApiKey = "secret" });
        await using var visit = await browser.VisitAsync(server);
        await visit.ExpectAsync("#error", "an API key is needed");
        await visit.TabToAsync("key");
        await visit.Page.Keyboard.TypeAsync("secret");
        await visit.Page.Keyboard.PressAsync("Enter");
        await visit.ExpectAsync("#model", "tiny, 160 tokens of context");
        await SendAsync(visit, maxTokens: 5);
        await visit.ExpectAsync(".assistant .figures", "5 tokens");
        await visit.Page.ReloadAsync();
        await visit.ExpectAsync("#state", "idle");
        visit.CheckFaults(expected: "401");
    }

    [Fact]
    public async Task Refusal_is_one_line_and_the_message_comes_back()
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync();
        await using var visit = await browser.VisitAsync(server);
        await visit.ExpectAsync("#state", "idle");
        await visit.Page.FillAsync("#prompt", string.Join(' ', Enumerable.Repeat(Message, 30)));
        await visit.Page.ClickAsync("#send");
        await visit.ExpectAsync("#error", "maximum context length is 160 tokens");
        Assert.NotEmpty(await visit.Page.InputValueAsync("#prompt"));
        Assert.Equal(0, await visit.Page.Locator(".assistant").CountAsync());
        visit.CheckFaults(expected: "400");
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Controls_have_names_and_texts_have_contrast(ColorScheme scheme)
    {
        TestScale.SkipUnlessDrawn(3);
        await using var server = await TestServer.StartAsync(config: s_config);
        await using var visit = await browser.VisitAsync(server, scheme);
        using (server.SlowDown())
        {
            await SendAsync(visit, maxTokens: 60);
            await Assertions.Expect(visit.Page.Locator("canvas")).ToHaveCountAsync(4);
        }
        await visit.ExpectAsync(".assistant .figures", "60 tokens");
        Assert.Empty(await visit.Page.EvaluateAsync<string[]>(Accessibility.NamelessControls));
        string[] colours = await visit.Page.EvaluateAsync<string[]>(Accessibility.WeakTexts);
        Assert.Empty(colours);
        Assert.Equal("0s", await visit.Page.EvaluateAsync<string>(
            "getComputedStyle(document.getElementById('bar-used')).transitionDuration"));
        // The colours differ, so that the test of the contrast has looked at both schemes.
        Assert.Equal(scheme == ColorScheme.Dark ? "rgb(18, 22, 28)" : "rgb(247, 246, 243)",
            await visit.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
    }

    // With the keyboard alone.
    private static async Task SendAsync(Visit visit, int maxTokens)
    {
        await visit.ExpectAsync("#model", "tiny");
        await visit.Page.FillAsync("#max-tokens", maxTokens.ToString(CultureInfo.InvariantCulture));
        await visit.Page.FillAsync("#temperature", "0");
        await visit.Page.FocusAsync("body");
        await visit.TabToAsync("prompt");
        await visit.Page.Keyboard.TypeAsync(Message);
        await visit.Page.Keyboard.PressAsync("Enter");
    }
}
