using System.Net;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A text of about twice the pages that an instance has, over processes of <c>s2 serve</c>.</summary>
public sealed class LargeContextTests
{
    private const int PromptTokens = 3900, TextTokens = 40, Block = 16, ChunkTokens = 32;

    // Chunks of 32 tokens: what a lent head keeps at home is its window and a chunk.
    private static readonly string[] s_options = ["--max-batch-tokens", $"{2 * ChunkTokens}"];

    // Layers of dense attention and of stripes take turns. Their windows are the block of the newest token.
    private static readonly TransformerConfig s_config = TinyModelFolder.Config with
    {
        Layers = 8,
        QueryHeads = 8,
        KeyValueHeads = 4,
        ContextTokens = 4096,
        Attention = new AttentionPlan(Enumerable.Repeat(TinyModelFolder.Config.Attention, 4).SelectMany(two => two)),
    };

    // A text of 2 pools or more needs a third instance: a lent head has its window, a chunk and a block at home, while
    // its creditor reserves room for all blocks up to the newest; and a head of a layer is lent as a whole.
    [Theory]
    [InlineData(2, 1.93)]
    [InlineData(3, 2.2)]
    public async Task Text_of_about_twice_the_pool_is_that_of_one_process_with_a_large_one(int instances, double pools)
    {
        TestScale.SkipUnlessDrawn(6);
        using var folder = new TemporaryFolder();
        string prompt = "Line 5 of some text";
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
        {
            TinyModelFolder.Save(folder.FullPath, engine, s_config);
            using var model = ModelFolder.Load(folder.FullPath, engine);
            while (model.Tokenizer.Encode(prompt).Length < PromptTokens)
                prompt += $" with {prompt.Length} more lines of text, to learn from";
        }
        long whole = await NeededBytesAsync(folder.FullPath, prompt), pool = (long)(whole / pools);
        string expected;
        using (var one = await ServeProcess.StartAsync(folder.FullPath, [.. s_options, "--cache-bytes", $"{whole}"]))
            expected = await TextRequest.ReadAsync(await BeginAsync(one, folder.FullPath, prompt));
        string[] options = [.. s_options, "--cluster", "test", "--cluster-port", $"{FreePort.Find()}",
            "--cache-bytes", $"{pool}"];
        var serving = new List<ServeProcess>();
        try
        {
            while (serving.Count < instances)
                serving.Add(await ServeProcess.StartAsync(folder.FullPath, options));
            while (await serving[0].MetricAsync("s2_borrowable_bytes") < (instances - 1) * pool)
                await Task.Delay(50);
            Assert.Equal(expected, await TextRequest.ReadAsync(await BeginAsync(serving[0], folder.FullPath, prompt)));
            Assert.Equal(0, await SumAsync(serving, "s2_borrow_losses_total"));
            // The counters are those after the last step when nothing runs.
            while (await SumAsync(serving, "s2_lent_bytes_reserved") > 0
                || await SumAsync(serving, "s2_running_sequences") > 0)
                await Task.Delay(50);
            await CheckBytesAsync(serving);
            foreach (string pages in (string[])["s2_cache_pages_used", "s2_borrowed_pages", "s2_lent_pages"])
                Assert.Equal(0, await SumAsync(serving, pages));
        }
        finally
        {
            serving.ForEach(process => process.Dispose());
        }
    }

    // For each lent head of a layer 2 G D e bytes of a token that has blocks before its window, with its G query heads,
    // and 4 G of log-sum-exps; 2 D e for each token of a block that is written.
    private static async Task CheckBytesAsync(List<ServeProcess> serving)
    {
        int group = s_config.QueryHeads / s_config.KeyValueHeads, row = s_config.HeadDim * sizeof(float),
            all = s_config.Layers * s_config.KeyValueHeads,
            tokens = (int)await SumAsync(serving, "s2_computed_tokens_total");
        long queries = (long)await SumAsync(serving, "s2_borrow_query_bytes_total"),
            perHead = (tokens - ChunkTokens) * (long)(group * row), pages = 0;
        int lent = (int)(queries / perHead), end = tokens / Block;
        Assert.InRange(lent, 1, all - 1);
        Assert.Equal(lent * perHead, queries);
        Assert.Equal(lent * (tokens - ChunkTokens) * (long)(group * (row + sizeof(float))),
            await SumAsync(serving, "s2_borrow_output_bytes_total"));
        for (int number = all - lent; number < all; number++)
        {
            var pattern = s_config.Attention[number % s_config.Layers]
                .CreatePattern(s_config.QueryHeads, s_config.KeyValueHeads);
            pages += Enumerable.Range(0, end).Count(block =>
                pattern.MayStillRead(number / s_config.Layers, end, block));
        }
        Assert.Equal(pages * 2 * Block * row, await SumAsync(serving, "s2_borrow_page_bytes_total"));
    }

    // What one instance says that does not have them: "... needs N bytes of pages ...".
    private static async Task<long> NeededBytesAsync(string folder, string prompt)
    {
        using var one = await ServeProcess.StartAsync(folder, [.. s_options, "--cache-bytes", "1000"]);
        using var refused = await BeginAsync(one, folder, prompt);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        string[] words = (await refused.Content.ReadAsStringAsync()).Split(' ');
        return long.Parse(words[Array.IndexOf(words, "needs") + 1]);
    }

    private static Task<HttpResponseMessage> BeginAsync(ServeProcess process, string folder, string prompt) =>
        process.BeginAsync(folder, prompt, TextTokens, temperature: 0, seed: 1);

    private static async Task<double> SumAsync(List<ServeProcess> serving, string metric)
    {
        double sum = 0;
        foreach (var process in serving)
            sum += await process.MetricAsync(metric);
        return sum;
    }
}
