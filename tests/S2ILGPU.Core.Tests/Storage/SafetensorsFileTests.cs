using System.Buffers.Binary;
using System.Text;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Storage;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<SafetensorsType> Types => 
        [.. Enum.GetValues<SafetensorsType>().Where(type => type != SafetensorsType.Unknown)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Types))]
    public void Bytes_of_every_type_come_back(SafetensorsType type)
    {
        int seed = Random.Shared.Next();
        var bytes = new byte[3 * 5 * type.SizeBytes()];
        new Random(seed).NextBytes(bytes);
        string path = _folder["all.safetensors"];
        SafetensorsFile.Write(path,
        [
            new("x", type, [3, 5], stream => stream.Write(bytes)),
            new("empty", type, [0, 7], _ => { }),
            new("scalar", type, [], stream => stream.Write(bytes.AsSpan(0, type.SizeBytes()))),
        ]);

        using var file = SafetensorsFile.Open(path);
        var entry = file.Info("x");
        Assert.Equal(type, entry.Type);
        Assert.Equal([3, 5], entry.Shape);
        Assert.Equal(15, entry.Count);
        var back = new byte[bytes.Length];
        file.ReadBytes("x", back);
        Assert.True(bytes.AsSpan().SequenceEqual(back), $"seed {seed}");
        Assert.Equal(0, file.Info("empty").Count);
        Assert.Equal(1, file.Info("scalar").Count);
        Assert.Equal(type.SizeBytes(), file.Info("scalar").SizeBytes);
        Assert.Throws<ArgumentException>(() => file.ReadBytes("x", new byte[bytes.Length - 1]));
        if (!FloatConversion.IsFloat(type))
            Assert.Contains("x " + type.FileName() + " [3, 5]",
                Assert.Throws<InvalidDataException>(() => file.ReadSingles("x")).Message);
    }

    [Theory]
    [InlineData(SafetensorsType.Float32, 0)]
    [InlineData(SafetensorsType.Float64, 0)]
    [InlineData(SafetensorsType.Float16, 1.0 / 2048)]
    [InlineData(SafetensorsType.BFloat16, 1.0 / 256)]
    public void Floats_come_back_as_near_as_the_type_allows(SafetensorsType type, double relative)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var values = new float[300_007]; // more than one chunk, and no multiple of it
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)((1 + random.NextDouble()) * Math.Pow(2, random.Next(-10, 10)));
        SafetensorsFile.Write(_folder["f"], [new("x", type, [values.Length], values)]);

        using var file = SafetensorsFile.Open(_folder["f"]);
        float[] back = file.ReadSingles("x");
        for (int i = 0; i < values.Length; i++)
            Assert.True(Math.Abs(back[i] - (double)values[i]) <= relative * values[i],
                $"seed {seed}: [{i}] {values[i]} became {back[i]}");
        var part = new float[200_000];
        file.ReadRange("x", 100_001, part);
        Assert.True(part.AsSpan().SequenceEqual(back.AsSpan(100_001, part.Length)), $"seed {seed}");
        Assert.Throws<ArgumentException>(() => file.ReadRange("x", 100_008, part));
        Assert.Throws<ArgumentException>(() => file.ReadRange("x", -1, part));
        Assert.Throws<ArgumentException>(() => file.Read("x", part));
    }

    [Fact]
    public void Writes_what_the_format_says()
    {
        var b = new SafetensorsTensor("b", SafetensorsType.UInt8, [3], stream => stream.Write([1, 2, 3]));
        var a = new SafetensorsTensor("a", SafetensorsType.Float32, [1, 2], new float[] { 1, -2 });
        SafetensorsFile.Write(_folder["f"], [b, a], new Dictionary<string, string> { ["format"] = "pt" });
        byte[] bytes = File.ReadAllBytes(_folder["f"]);
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        Assert.Equal(0, (8 + length) % 8);
        Assert.Equal(
            """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""",
            Encoding.UTF8.GetString(bytes, 8, length).TrimEnd(' '));
        Assert.Equal([0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 1, 2, 3], bytes[(8 + length)..]);

        using var file = SafetensorsFile.Open(_folder["f"]);
        Assert.Equal(["a", "b"], file.Names);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.True(file.Contains("a") && !file.Contains("c"));
        Assert.Equal("a F32 [1, 2]", file.Info("a").ToString());
    }

    [Fact]
    public void Refuses_to_write_what_is_wrong()
    {
        float[] two = [1, 2];
        Assert.Contains("needs 3 values, got 2",
            Assert.Throws<ArgumentException>(() =>
            new SafetensorsTensor("x", SafetensorsType.Float32, [3], two)).Message);
        Assert.Throws<ArgumentException>(() => new SafetensorsTensor("x", SafetensorsType.Int32, [2], two));
        Assert.Throws<ArgumentException>(() => new SafetensorsTensor("x", SafetensorsType.Float32, [-2], two));
        Assert.Throws<ArgumentException>(() =>
            new SafetensorsTensor("x", SafetensorsType.Float32, [1L << 40, 1L << 40], _ => { }));
        Assert.Throws<ArgumentException>(() => new SafetensorsTensor("x", SafetensorsType.Unknown, [2], _ => { }));
        Assert.Throws<ArgumentException>(() => new SafetensorsTensor("", SafetensorsType.Float32, [2], two));
        Assert.Throws<ArgumentException>(() =>
            new SafetensorsTensor("__metadata__", SafetensorsType.Float32, [2], two));
        var x = new SafetensorsTensor("x", SafetensorsType.Float32, [2], two);
        Assert.Contains("'x'", Assert.Throws<ArgumentException>(() =>
            SafetensorsFile.Write(_folder["f"], [x, x])).Message);
        var liar = new SafetensorsTensor("y", SafetensorsType.UInt8, [2], s => s.WriteByte(1));
        var lied = Assert.Throws<InvalidOperationException>(() => SafetensorsFile.Write(_folder["f"], [x, liar]));
        Assert.Contains("'y' has 2 bytes, but 1 were written", lied.Message);
        Assert.Empty(Directory.GetFiles(_folder.FullPath));
    }

    [Fact]
    public void Names_the_file_that_is_missing_and_the_tensor_that_is_not_there()
    {
        Assert.Contains(_folder["none"],
            Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder["none"])).Message);
        Assert.Contains("is a folder",
            Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder.FullPath)).Message);
        SafetensorsFile.Write(_folder["f"],
            [new("k", SafetensorsType.Float32, [1], new float[1]),
            new("v", SafetensorsType.Float32, [1], new float[1])]);
        using var file = SafetensorsFile.Open(_folder["f"]);
        Assert.Equal($"{_folder["f"]} holds no tensor 'q', it holds k, v",
            Assert.Throws<InvalidDataException>(() => file.Info("q")).Message);
    }

    [Theory]
    [InlineData("[1]", "header: the document must be an object, got [1]")]
    [InlineData("{}x", "not valid JSON")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} {}""", "not valid JSON")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", "not valid JSON")]
    [InlineData("""{"x":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}""",
        "header: tensor 'x'.dtype must be a string, got 4")]
    [InlineData("""{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""",
        "tensor 'x'.shape[0] must be an integer from 0 to 2^63 - 1, got -2")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}""",
        "tensor 'x'.shape[0] must be an integer from 0 to 2^63 - 1, got 2.0")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2,9223372036854775808],"data_offsets":[0,8]}}""",
        "shape[1] must be an integer")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}""",
        "tensor 'x': the size of shape [4294967296, 4294967296] in F32 overflows 63 bits")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,8]}}""", "overflows 63 bits")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""",
        "tensor 'x': shape [3] in F32 needs 12 bytes, but data_offsets [0, 8] span 8")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""",
        "tensor 'x': data_offsets must be [begin, end], got [8, 0]")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""",
        "data_offsets must be [begin, end], got [0]")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""",
        "tensor 'x': its data begin at 4, leaving a gap after what ends at 0")]
    [InlineData(
        """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
        "tensor 'y': its data begin at 4, overlapping what ends at 8")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""",
        "tensor 'x': its data end at 12, but only 8 bytes follow the header (truncated file?)")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""",
        "the tensors end at 4, but 8 bytes follow the header")]
    [InlineData(
        """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", "header: not valid JSON: the name 'x' stands twice in one object")]
    [InlineData("""{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        "not valid JSON: the name 'dtype' stands twice in one object")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"offsets":[0,8]}}""", "tensor 'x'.data_offsets is missing")]
    [InlineData("""{"x":[]}""", "tensor 'x' must be an object, got []")]
    [InlineData("""{"x":null}""", "tensor 'x' must be an object, got null")]
    [InlineData("""{"x":{"dtype":"F8_E8M0","shape":[2],"data_offsets":[0,9]}}""",
        "tensor 'x': its data end at 9, but only 8 bytes follow the header")]
    [InlineData("""{"__metadata__":{"a":1},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        "header: __metadata__.a must be a string, got 1")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        "not valid JSON: the name 'a' stands twice in one object")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        "header: a string holds an escape that is no character")]
    public void Says_what_is_wrong_with_a_header(string json, string expected)
    {
        string path = _folder.Write("bad.safetensors", WithHeader(Encoding.UTF8.GetBytes(json), 8));
        string message = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(expected, message);
    }

    [Theory]
    [InlineData("""{"__metadata__":null,"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "x F32 [2]")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"origin":"elsewhere"}}""", "x F32 [2]")]
    [InlineData("""{"x":{"dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8]}}""", "x F8_E8M0 [8]")]
    [InlineData("""{"x":{"dtype":"F4","shape":[4,4],"data_offsets":[0,8]}}""", "x F4 [4, 4]")]
    [InlineData("""{"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}""", "x C64 [1]")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}""",
        "x F32 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]")]
    public void Is_not_stricter_than_the_format(string json, string expected)
    {
        string path = _folder.Write("good.safetensors", WithHeader(Encoding.UTF8.GetBytes(json), 8));
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(expected, file.Info("x").ToString());
        Assert.Empty(file.Metadata);
        var bytes = new byte[8];
        file.ReadBytes("x", bytes);
        if (file.Info("x").Type == SafetensorsType.Unknown)
            Assert.Equal($"{path}: tensor {expected} does not hold floats (F32, F16, BF16 or F64)",
                Assert.Throws<InvalidDataException>(() => file.ReadSingles("x")).Message);
    }

    [Fact]
    public void Says_what_is_wrong_with_the_length()
    {
        AssertBad([1, 2, 3], "not a safetensors file: 3 bytes, the header length alone needs 8");
        AssertBad([100, 0, 0, 0, 0, 0, 0, 0, (byte)'{'],
            "the header length is 100, but only 1 bytes follow it (truncated file?)");
        AssertBad([255, 255, 255, 255, 255, 255, 255, 255, 0],
            "the header length 18446744073709551615 is more than the 100000000 bytes allowed");
        AssertBad(WithHeader([0xFF, 0xFE], 0), "header: not valid UTF-8");
        AssertBad(new byte[8], "not valid JSON");
    }

    [Fact]
    public void Every_truncation_is_noticed()
    {
        SafetensorsFile.Write(_folder["f"],
            [new("x", SafetensorsType.Float32, [4], new float[4]),
            new("y", SafetensorsType.BFloat16, [1], new float[1])]);
        byte[] whole = File.ReadAllBytes(_folder["f"]);
        for (int length = 0; length < whole.Length; length++)
        {
            string path = _folder.Write("cut", whole[..length]);
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path).Dispose());
        }
        SafetensorsFile.Open(_folder["f"]).Dispose();
    }

    [Fact]
    public void A_file_that_became_shorter_is_noticed()
    {
        SafetensorsFile.Write(_folder["f"], [new("x", SafetensorsType.Float32, [4], new float[4])]);
        using var file = SafetensorsFile.Open(_folder["f"]);
        using (var stream = new FileStream(_folder["f"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(stream.Length - 1);
        Assert.Contains("inside x", Assert.Throws<InvalidDataException>(() => file.ReadSingles("x")).Message);
    }

    internal static byte[] WithHeader(ReadOnlySpan<byte> json, int dataBytes)
    {
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)json.Length);
        json.CopyTo(bytes.AsSpan(8));
        return bytes;
    }

    private void AssertBad(byte[] bytes, string expected)
    {
        string path = _folder.Write("bad", bytes);
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message);
    }
}
