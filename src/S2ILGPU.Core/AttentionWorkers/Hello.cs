using System.Security.Cryptography;
using System.Text;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.AttentionWorkers;

/// <summary>What a model worker tells an attention worker when it connects.</summary>
/// <param name="Config">The configuration as a file.</param>
/// <param name="FirstHead">The first KV head of the worker, by its number in the model.</param>
/// <param name="Heads">Its number of KV heads.</param>
/// <param name="ActivationType">Element type of queries, keys, values and outputs.</param>
/// <param name="CacheType">Element type of pages.</param>
/// <param name="Sequences">S, sequences of the cache.</param>
/// <param name="MaxTokens">The most tokens of a sequence.</param>
/// <param name="Overlap">Whether attention over earlier tokens begins with the queries.</param>
internal sealed record Hello(string Config, int FirstHead, int Heads, ElementType ActivationType, ElementType CacheType,
    int Sequences, int MaxTokens, bool Overlap)
{
    /// <summary>Changes with every change of the frames.</summary>
    public const int Version = 1;

    /// <summary>The most bytes of one.</summary>
    public const int MaxBytes = TransformerConfigFile.MaxBytes + 4096;

    private const string Magic = "S2 attention";

    /// <summary>The configuration.</summary>
    public TransformerConfig Parse() =>
        TransformerConfigFile.Parse(Encoding.UTF8.GetBytes(Config), "the configuration of the model worker");

    /// <summary>The query heads of the worker, by their numbers in the model.</summary>
    public Range QueryHeads(TransformerConfig config)
    {
        int group = config.QueryHeads / config.KeyValueHeads;
        return (FirstHead * group)..((FirstHead + Heads) * group);
    }

    /// <summary>The options of the cache.</summary>
    public KeyValueCacheOptions Cache => new()
    {
        Sequences = Sequences,
        MaxTokens = MaxTokens,
        ElementType = CacheType,
    };

    /// <summary>The payload of the frame.</summary>
    /// <param name="fingerprint">See <see cref="Fingerprint"/>.</param>
    public byte[] Write(string fingerprint)
    {
        var memory = new MemoryStream();
        using (var writer = new BinaryWriter(memory))
        {
            writer.Write(Magic);
            writer.Write(Version);
            writer.Write(fingerprint);
            foreach (int number in (int[])[FirstHead, Heads, (int)ActivationType, (int)CacheType, Sequences, MaxTokens])
                writer.Write(number);
            writer.Write(Overlap);
            writer.Write(Config);
        }
        return memory.ToArray();
    }

    /// <summary>Reads the payload of the frame.</summary>
    /// <exception cref="InvalidDataException">It is not one, or one of another version.</exception>
    public static (Hello Hello, string Fingerprint) Read(ReadOnlySpan<byte> payload)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(payload.ToArray()));
            if (reader.ReadString() != Magic)
                throw new InvalidDataException("not a model worker");
            if (reader.ReadInt32() is var version && version != Version)
                throw new InvalidDataException($"the model worker speaks version {version}, this one {Version}");
            string fingerprint = reader.ReadString();
            var (firstHead, heads, activations, cache) =
                (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
            var (sequences, maxTokens, overlap) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadBoolean());
            return (new Hello(reader.ReadString(), firstHead, heads, Type(activations), Type(cache), sequences,
                maxTokens, overlap), fingerprint);
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw new InvalidDataException("not a model worker", e);
        }
    }

    /// <summary>A hash of everything that both ends must understand alike, patterns included; 16 hexadecimal
    /// digits.</summary>
    /// <param name="attention">What an end made of the configuration.</param>
    public string Fingerprint(AttentionLayers attention)
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Join('\n', [this with { Config = "" }, attention.HeadDim,
            BitConverter.SingleToInt32Bits(attention.Scale), attention.ContextTokens, .. attention.Patterns]));
        return Convert.ToHexStringLower(SHA256.HashData(text).AsSpan(0, 8));
    }

    private static ElementType Type(int number) => Enum.IsDefined((ElementType)number) ? (ElementType)number
        : throw new InvalidDataException($"malformed frame: element type {number}");
}
