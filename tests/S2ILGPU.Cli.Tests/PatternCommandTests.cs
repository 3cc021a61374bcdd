using System.Buffers.Binary;
using System.CommandLine;
using System.IO.Compression;
using System.Text.Json;
using System.Xml.Linq;
using S2ILGPU.Cli.Commands;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Cli.Tests;

public sealed class PatternCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("s2-pattern-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Text_shows_one_grid_per_head_and_the_checks()
    {
        string text = Run("--heads 4 --tokens 128 --block-size 16 --local-blocks 2 --vert-stride 4");
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        int first = Array.FindIndex(lines, line => line.StartsWith("head 0", StringComparison.Ordinal));
        // The golden table of four heads, L2 s4.
        string[] head0 = [@"\", @"#\", @"##\", @"#.#\", @"#..#\", @"#...#\", @"#...##\", @"#...#.#\"];
        string[] head1 = [@"\", @"#\", @".#\", @"..#\", @"...#\", @"...##\", @"...#.#\", @"...#..#\"];
        for (int row = 0; row < 8; row++)
        {
            string line = lines[first + 1 + row].PadRight(22);
            Assert.Equal((head0[row], head1[row]), (line[..8].TrimEnd(), line[11..19].TrimEnd()));
        }
        Assert.Contains("81 of 144 blocks, 56.2 % of dense", text);
        Assert.Contains("coverage         complete", text);
        Assert.DoesNotContain("[green]", text);
        Assert.DoesNotContain('\e', text);
    }

    [Fact]
    public void Text_limits_large_patterns_and_says_so()
    {
        string text = Run("--heads 40 --tokens 16384");
        Assert.Contains("first 64 of 256 blocks shown", text);
        Assert.Contains("first 16 of 40 heads shown", text);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 130));
    }

    [Theory]
    [InlineData("--heads 32 --kv-heads 8 --tokens 4000", "{}")]
    [InlineData(
        "--heads 4 --kv-heads 2 --tokens 130 --block-size 16 --local-blocks 2 --vert-stride 3 --homogeneous-heads",
        "homogeneous")]
    [InlineData(
        "--heads 8 --kv-heads 2 --tokens 999 --block-size 32 --local-blocks 1 --vert-stride 5 --head-offset 2 "
        + "--dense-heads 1 --slide-by query", "query")]
    [InlineData("--heads 2 --tokens 500 --block-size 16 --local-blocks 2 --vert-stride 3 --non-causal", "relative")]
    public void Json_agrees_with_the_layout_and_the_report(string options, string kind)
    {
        AttentionPattern pattern = kind switch
        {
            "homogeneous" => new LocalStridePattern(4, 2, 16, 2, 3, new() { HomogeneousHeads = true }),
            "query" => new LocalStridePattern(8, 2, 32, 1, 5,
                new() { HeadOffset = 2, DenseHeads = 1, SlideByQueryHead = true }),
            "relative" => new LocalStridePattern(2, 2, 16, 2, 3, isCausal: false),
            _ => new LocalStridePattern(32, 8),
        };
        int tokens = int.Parse(options.Split("--tokens ")[1].Split(' ')[0]);
        var report = PatternReport.Of(pattern, tokens);

        using var json = JsonDocument.Parse(Run(options + " --format json"));
        var root = json.RootElement;
        Assert.Equal(report.Layout.KeyBlocks, root.GetProperty("blocks").GetInt32());
        var heads = root.GetProperty("heads").EnumerateArray().ToArray();
        Assert.Equal(pattern.PatternHeads, heads.Length);
        for (int head = 0; head < heads.Length; head++)
        {
            var rows = heads[head].GetProperty("rows").EnumerateArray().Select(Numbers).ToArray();
            Assert.Equal(report.Layout.KeyBlocks, rows.Length);
            for (int i = 0; i < rows.Length; i++)
                Assert.Equal(Enumerable.Range(0, rows.Length).Where(j => pattern.Keeps(head, i, j)), rows[i]);
        }
        Assert.Equal(report.KeptFraction, root.GetProperty("keptFraction").GetDouble());
        Assert.Equal(report.DenseOverSparse, root.GetProperty("denseOverSparse").GetDouble());
        Assert.Equal(report.Coverage.IsComplete, root.GetProperty("coverage").GetProperty("complete").GetBoolean());
        Assert.Equal(report.Coverage.MissingResidues,
            Numbers(root.GetProperty("coverage").GetProperty("missingResidues")));
        Assert.Equal(pattern.IsCausal, root.GetProperty("cacheEfficient").GetBoolean());
        Assert.Equal(report.KeptCacheBlocks, Numbers(root.GetProperty("keptCacheBlocks")));
    }

    [Fact]
    public void Json_names_the_residues_that_no_head_covers()
    {
        using var json = JsonDocument.Parse(Run("--heads 32 --kv-heads 4 --tokens 8192 --format json"));
        var coverage = json.RootElement.GetProperty("coverage");
        Assert.False(coverage.GetProperty("complete").GetBoolean());
        Assert.Equal([1, 2, 3, 4], Numbers(coverage.GetProperty("missingResidues")));
    }

    [Fact]
    public void Svg_is_well_formed_and_has_a_panel_per_head_and_the_union()
    {
        string file = Path.Combine(_folder, "picture.svg");
        Assert.Empty(Run($"--heads 3 --kv-heads 3 --tokens 640 --local-blocks 1 --vert-stride 3 --out {file}"));
        var texts = XDocument.Load(file).Descendants().Where(element => element.Name.LocalName == "text")
            .Select(text => text.Value).ToArray();
        foreach (string label in new[] { "head 0", "head 1", "head 2", "all heads", "coverage complete" })
            Assert.Single(texts, label);
        Assert.Equal([file], Directory.GetFiles(_folder)); // no temporary file is left
    }

    [Fact]
    public void Png_decodes_to_a_picture_in_the_colours_of_the_heads()
    {
        string file = Path.Combine(_folder, "picture.png");
        Run($"--heads 2 --tokens 640 --local-blocks 2 --vert-stride 4 --out {file}");
        var (width, height, rgb) = DecodePng(File.ReadAllBytes(file));
        Assert.InRange(width, 800, 4000);
        Assert.InRange(height, 400, 4000);
        var colours = new Dictionary<int, int>();
        for (int i = 0; i < rgb.Length; i += 3)
        {
            int colour = rgb[i] << 16 | rgb[i + 1] << 8 | rgb[i + 2];
            colours[colour] = colours.GetValueOrDefault(colour) + 1;
        }
        // The background, what is not kept, what no head reads, what every head reads, and each head's own colour cover
        // large areas.
        int[] large = [.. colours.Where(colour => colour.Value > 4000).Select(colour => colour.Key)];
        Assert.Superset(new HashSet<int> { 0xffffff, 0xf0f2f6, 0xfacdc8, 0x586276 }, large.ToHashSet());
        Assert.InRange(large.Length, 6, 12);
    }

    [Theory]
    [InlineData("--heads 6 --kv-heads 4 --tokens 100", "--kv-heads must divide the 6 query heads, got 4")]
    [InlineData("--heads 4 --tokens 0", "--tokens must be a whole number from 1 to 2147483647, got 0")]
    [InlineData("--heads 4 --tokens 100 --block-size 48", "got 48")]
    [InlineData("--heads 4 --tokens 100 --local-blocks 0", "--local-blocks must be a whole number from 1", "got 0")]
    public async Task Bad_values_are_refused_and_leave_no_file(string options, params string[] parts)
    {
        await Tool.RefuseAsync($"pattern {options} --out {Path.Combine(_folder, "out.json")}", parts);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task The_other_way_to_slide_shows_what_coverage_costs_in_cache()
    {
        // 4 key/value heads cannot cover 8 residues; 8 query heads can, and keep about twice the cache per KV head.
        const string Command = "pattern --heads 8 --kv-heads 4 --tokens 8192 --local-blocks 4";
        using var json = JsonDocument.Parse(await Tool.SucceedAsync($"{Command} --format json"));
        var (chosen, other) = (json.RootElement, json.RootElement.GetProperty("otherSlideBy"));
        Assert.Equal("query", other.GetProperty("slideBy").GetString());
        Assert.False(chosen.GetProperty("coverage").GetProperty("complete").GetBoolean());
        Assert.True(other.GetProperty("coverage").GetProperty("complete").GetBoolean());
        double ratio = Numbers(other.GetProperty("keptCacheBlocks")).Sum()
            / (double)Numbers(chosen.GetProperty("keptCacheBlocks")).Sum();
        Assert.InRange(ratio, 1.6, 2);
        string text = await Tool.SucceedAsync(Command);
        Assert.Contains("coverage         incomplete", text);
        Assert.Contains("--slide-by query would give coverage complete", text);
        using var swapped = JsonDocument.Parse(await Tool.SucceedAsync($"{Command} --slide-by query --format json"));
        Assert.Equal("kv", swapped.RootElement.GetProperty("otherSlideBy").GetProperty("slideBy").GetString());
        Assert.Equal(Numbers(other.GetProperty("keptCacheBlocks")),
            Numbers(swapped.RootElement.GetProperty("keptCacheBlocks")));
    }

    [Theory]
    [InlineData("--tokens 100", "--heads")]
    [InlineData("--heads 4", "--tokens")]
    [InlineData("--heads x --tokens 100", "--heads must be a whole number, got x")]
    [InlineData("--heads 4 --tokens 100 --format pdf", "--format must be text, json, svg, png or html, got pdf")]
    [InlineData("--heads 4 --tokens 100 --slide-by key", "--slide-by must be query or kv, got key")]
    public void Options_that_cannot_be_read_give_one_line(string options, string message)
    {
        var error = Assert.Single(Parse(options).Errors);
        Assert.Contains(message, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void A_folder_that_does_not_exist_is_an_error() =>
        Assert.ThrowsAny<IOException>(() =>
            Run($"--heads 4 --tokens 100 --out {Path.Combine(_folder, "none", "a.svg")}"));

    private static string Run(string options)
    {
        var output = new StringWriter();
        Assert.Equal(0, Parse(options)
            .Invoke(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false }));
        return output.ToString();
    }

    private static ParseResult Parse(string options) =>
        new RootCommand { PatternCommand.Create() }.Parse(["pattern", .. options.Split(' ')]);

    private static int[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetInt32())];

    private static (int Width, int Height, byte[] Rgb) DecodePng(byte[] file)
    {
        Assert.Equal([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], file[..8]);
        int width = 0, height = 0;
        byte[] data = [];
        for (int at = 8; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            var chunk = file.AsSpan(at + 4, length + 4);
            Assert.Equal(Crc32(chunk), BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)));
            if (chunk[..4].SequenceEqual("IHDR"u8))
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(chunk[4..]),
                    BinaryPrimitives.ReadInt32BigEndian(chunk[8..]));
            else if (chunk[..4].SequenceEqual("IDAT"u8))
                data = [.. data, .. chunk[4..]];
            at += 12 + length;
        }
        var rgb = new byte[width * height * 3];
        using var zlib = new ZLibStream(new MemoryStream(data), CompressionMode.Decompress);
        for (int y = 0; y < height; y++)
        {
            Assert.Equal(2, zlib.ReadByte());
            zlib.ReadExactly(rgb, y * width * 3, width * 3);
            for (int i = y * width * 3; y > 0 && i < (y + 1) * width * 3; i++)
                rgb[i] += rgb[i - width * 3];
        }
        Assert.Equal(-1, zlib.ReadByte());
        return (width, height, rgb);
    }

    // Bit by bit, as the PNG specification words it.
    private static uint Crc32(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
        }
        return ~crc;
    }
}
