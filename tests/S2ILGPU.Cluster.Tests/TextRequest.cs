using S2ILGPU.Inference;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A request for a text, greedy or drawn, whose right text one server alone knows.</summary>
internal sealed record TextRequest(string Prompt, int Tokens, float Temperature, int Seed)
{
    /// <summary>Random ones.</summary>
    /// <param name="count">How many.</param>
    /// <param name="least">Fewest tokens of a text.</param>
    /// <param name="end">One more than the most.</param>
    public static TextRequest[] Draw(int count, int least, int end)
    {
        var random = Seeds.NewRandom();
        return [.. Enumerable.Range(0, count).Select(n =>
            new TextRequest($"Line {n} of text", random.Next(least, end), random.Pick(0f, 1f), random.Next()))];
    }

    /// <summary>The whole text of a streamed answer.</summary>
    public static async Task<string> ReadAsync(HttpResponseMessage response)
    {
        using (response)
            return EventStream.Text(await EventStream.ReadAsync(response));
    }

    /// <summary>Begins it at a process.</summary>
    public Task<HttpResponseMessage> BeginAsync(ServeProcess process, string folder) =>
        process.BeginAsync(folder, Prompt, Tokens, Temperature, Seed);

    /// <summary>Its text.</summary>
    public string Alone(TestServer server) => server.Alone(Prompt, Tokens, new SamplingOptions
    {
        Temperature = Temperature,
        TopK = 0,
        TopP = 1,
        Seed = (ulong)Seed,
    });
}
