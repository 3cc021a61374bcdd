using System.Text;
using System.Text.Json;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A pattern as a web page in one file, whose parameters can be changed in the browser.</summary>
internal static class PatternPage
{
    private const string Resource = "PatternPage.html", Mark = "/*PARAMETERS*/{}";

    /// <summary>Writes the page.</summary>
    /// <param name="pattern">The pattern that the page begins with; causal.</param>
    /// <param name="tokens">Tokens of the context.</param>
    /// <param name="stream">Where to.</param>
    /// <exception cref="ArgumentException">The pattern is not causal.</exception>
    public static void Write(LocalStridePattern pattern, int tokens, Stream stream)
    {
        if (!pattern.IsCausal)
            throw new ArgumentException("--format html shows causal patterns only, not --non-causal");
        using var reader = new StreamReader(typeof(PatternPage).Assembly.GetManifestResourceStream(Resource)!);
        stream.Write(Encoding.UTF8.GetBytes(reader.ReadToEnd().Replace(Mark, Parameters(pattern, tokens),
            StringComparison.Ordinal)));
    }

    private static string Parameters(LocalStridePattern pattern, int tokens)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("queryHeads", pattern.QueryHeads);
            json.WriteNumber("keyValueHeads", pattern.KeyValueHeads);
            json.WriteNumber("tokens", tokens);
            json.WriteNumber("blockTokens", pattern.BlockTokens);
            json.WriteNumber("localBlocks", pattern.LocalBlocks);
            json.WriteNumber("verticalStride", pattern.VerticalStride);
            json.WriteNumber("headOffset", pattern.Stripes.HeadOffset);
            json.WriteNumber("denseHeads", pattern.Stripes.DenseHeads);
            json.WriteString("slideBy", pattern.Stripes.SlideByQueryHead ? "query" : "kv");
            json.WriteBoolean("homogeneousHeads", pattern.Stripes.HomogeneousHeads);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
