using System.Text.Json;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>The numbers behind the picture of the cache, and the files of the web page.</summary>
public sealed class CacheTests
{
    private static readonly string[] s_files =
        ["page.css", "page.js", "chat.js", "picture.js", "rows.js", "server.js", "icon.svg"];

    private static readonly TransformerConfig s_long = TinyModelFolder.Config with { ContextTokens = 8192 };

    [Fact]
    public async Task Picture_adds_up_to_the_pool()
    {
        await using var server = await TestServer.StartAsync(config: s_long);
        const int PromptTokens = 200;
        IDisposable[] running = [.. Enumerable.Range(0, 3).Select(_ => server.SlowDown(PromptTokens))];
        int seen = 0;
        while (seen < 3)
        {
            var all = await ReadAsync(server, "");
            if (all.GetProperty("sequences").EnumerateArray().Count(s => Number(s, "tokens") >= PromptTokens) < 3)
                continue;
            seen++;
            Assert.Equal(Number(all, "usedPages"), Number(all, "sequencePages"));
            Assert.Equal(0, Number(all, "prefixPages"));
            Assert.Equal(Number(all, "usedPages"), Cells(all).Sum(c => c.Count * (c.Kept + c.Shared)));
            var sequence = all.GetProperty("sequences")[1];
            var one = await ReadAsync(server, sequence.GetProperty("name").GetString()!);
            CheckOne(one, sequence.GetProperty("name").GetString()!);
        }
        foreach (var request in running)
            request.Dispose();
        await server.BecomeIdleAsync();
        while (Number(await ReadAsync(server, ""), "running") > 0) { }
        Assert.Equal(JsonValueKind.Null, (await ReadAsync(server, "")).GetProperty("picture").ValueKind);
    }

    [Fact]
    public async Task Shared_prefixes_are_told_apart()
    {
        await using var server = await TestServer.StartAsync(o => o with
        {
            Scheduler = o.Scheduler with { Prefixes = 8 },
        }, s_long);
        using var running = server.SlowDown(promptTokens: 190, choices: 2);
        JsonElement cache;
        do
            cache = await ReadAsync(server, "");
        while (cache.GetProperty("sequences").GetArrayLength() < 2);
        long shown = Cells(cache).Sum(c => c.Count * (c.Kept + c.Shared));
        // The two choices show the pages of the prompt twice, and the pool has them once.
        Assert.True(Cells(cache).Sum(c => c.Count * c.Shared) > 0);
        Assert.True(shown > Number(cache, "sequencePages"));
        Assert.Equal(Number(cache, "usedPages"), Number(cache, "sequencePages") + Number(cache, "prefixPages"));
    }

    [Fact]
    public async Task Key_guards_the_numbers_and_not_the_page()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKey = "secret" });
        Assert.Equal(401, (int)(await server.Client.GetAsync("/cache")).StatusCode);
        using var page = await server.Client.GetAsync("/");
        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("default-src 'none'; ", page.Headers.GetValues("Content-Security-Policy").Single());
        string html = await page.Content.ReadAsStringAsync();
        Assert.DoesNotContain("://", html);
        foreach (string file in s_files)
            Assert.True((await server.Client.GetAsync("/" + file)).IsSuccessStatusCode, file);
    }

    [Fact]
    public async Task Failed_server_answers_503()
    {
        await using var server = await TestServer.StartAsync();
        server.Damage();
        using var failed = await server.PostAsync("/v1/completions", """{"model":"tiny","prompt":"a"}""");
        Assert.Equal(503, (int)failed.StatusCode);
        Assert.Equal(503, (int)(await server.Client.GetAsync("/cache")).StatusCode);
    }

    private static void CheckOne(JsonElement cache, string name)
    {
        var picture = cache.GetProperty("picture");
        Assert.Equal(name, picture.GetProperty("sequence").GetString());
        long tokens = cache.GetProperty("sequences").EnumerateArray()
            .Single(s => s.GetProperty("name").GetString() == name).GetProperty("tokens").GetInt64();
        foreach (var layer in picture.GetProperty("layers").EnumerateArray())
        {
            Assert.Equal((tokens + 15) / 16, Number(layer, "blocks"));
            Assert.Equal(1, Number(layer, "blocksPerCell"));
            foreach (var head in layer.GetProperty("heads").EnumerateArray())
                Assert.Equal(Number(layer, "blocks"), Runs(head).Sum(c => c.Count * c.Written));
            // The heads together keep the whole context.
            Assert.All(Runs(layer.GetProperty("together")), c => Assert.Equal(c.Written, c.Kept + c.Shared));
        }
        var sparse = picture.GetProperty("layers")[1];
        Assert.Equal("local_stride", sparse.GetProperty("attention").GetString());
        Assert.Contains(sparse.GetProperty("heads").EnumerateArray().SelectMany(Runs), c => c.Kept + c.Shared == 0);
    }

    private static async Task<JsonElement> ReadAsync(TestServer server, string sequence) =>
        JsonDocument.Parse(await server.Client.GetStringAsync($"/cache?sequence={sequence}")).RootElement;

    private static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();

    private static IEnumerable<(long Count, long Written, long Kept, long Shared)> Cells(JsonElement cache) =>
        from layer in cache.GetProperty("picture").GetProperty("layers").EnumerateArray()
        from head in layer.GetProperty("heads").EnumerateArray()
        from run in Runs(head)
        select run;

    private static IEnumerable<(long Count, long Written, long Kept, long Shared)> Runs(JsonElement row) =>
        row.EnumerateArray().Select(number => number.GetInt64()).Chunk(4).Select(r => (r[0], r[1], r[2], r[3]));
}
