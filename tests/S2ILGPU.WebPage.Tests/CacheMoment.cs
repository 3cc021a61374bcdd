using System.Text.Json;
using S2ILGPU.Serving.Tests;

namespace S2ILGPU.WebPage.Tests;

/// <summary>An answer of <c>/cache</c>.</summary>
internal sealed class CacheMoment(string json)
{
    /// <summary>A script that adds up what the canvases say of their cells: reads each one with the keyboard.</summary>
    public const string PagesInCanvases = """
        (() => {
            const spoken = document.getElementById("readout-spoken");
            let pages = 0;
            for (const canvas of document.querySelectorAll("canvas")) {
                const press = key => canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
                canvas.focus();
                for (let before = "", row = ""; ; before = row) {
                    press("Home");
                    row = spoken.textContent;
                    if (row === before || row.includes("all heads"))
                        break;
                    for (let last = ""; spoken.textContent !== last; press("ArrowRight")) {
                        last = spoken.textContent;
                        const many = /of \d+ blocks (\d+) kept, (\d+) shared/.exec(last);
                        pages += many ? Number(many[1]) + Number(many[2]) : last.includes(": kept") ? 1 : 0;
                    }
                    press("ArrowDown");
                }
                canvas.blur();
            }
            return pages;
        })()
        """;

    private readonly JsonElement _root = JsonDocument.Parse(json).RootElement;

    public string Json => json;

    public long UsedPages => _root.GetProperty("usedPages").GetInt64();

    /// <summary>Pages that the picture shows, kept and shared.</summary>
    public long PagesInPicture => (
        from layer in _root.GetProperty("picture").GetProperty("layers").EnumerateArray()
        from head in layer.GetProperty("heads").EnumerateArray()
        from run in head.EnumerateArray().Select(number => number.GetInt64()).Chunk(4)
        select run[0] * (run[2] + run[3])).Sum();

    /// <summary>Asks until so many sequences have so many tokens each.</summary>
    public static async Task<CacheMoment> WaitAsync(TestServer server, int sequences, int tokens)
    {
        while (true)
        {
            var moment = new CacheMoment(await server.Client.GetStringAsync("/cache"));
            var running = moment._root.GetProperty("sequences").EnumerateArray().ToArray();
            if (running.Length == sequences && running.All(s => s.GetProperty("tokens").GetInt32() >= tokens))
                return moment;
            await Task.Delay(20);
        }
    }
}
