using System.Buffers.Binary;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Storage;

public sealed class SafetensorsFuzzTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Damaged_files_give_only_invalid_data_exception()
    {
        TestScale.SkipUnlessDrawn(4);
        byte[] good = Good();
        Mutation.Fuzz([good], ReadEverything, e => e is InvalidDataException);
    }

    // The length stays true, so that the damage reaches the JSON.
    [Fact]
    public void Damaged_headers_give_only_invalid_data_exception()
    {
        byte[] good = Good();
        int headerEnd = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(good);
        byte[] json = good[8..headerEnd];
        int dataBytes = good.Length - headerEnd;
        Mutation.Fuzz([json], bytes => SafetensorsHeader.Parse("f", bytes, dataBytes), e => e is InvalidDataException);
    }

    private byte[] Good()
    {
        SafetensorsTensor[] tensors =
        [
            new("wte.weight", SafetensorsType.Float32, [2, 3], new float[6]),
            new("é", SafetensorsType.BFloat16, [3], new float[3]),
            new("n", SafetensorsType.Int64, [], stream => stream.Write(new byte[8])),
        ];
        SafetensorsFile.Write(_folder["good"], tensors, new Dictionary<string,
            string> { ["format"] = "pt", ["step"] = "12" });
        return File.ReadAllBytes(_folder["good"]);
    }

    private void ReadEverything(byte[] bytes)
    {
        using var file = SafetensorsFile.Open(_folder.Write("damaged", bytes));
        foreach (var entry in file.Entries)
        {
            file.ReadBytes(entry.Name, new byte[entry.SizeBytes]);
            if (FloatConversion.IsFloat(entry.Type))
                file.ReadSingles(entry.Name);
        }
    }
}
