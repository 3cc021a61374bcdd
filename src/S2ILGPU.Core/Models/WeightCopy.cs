using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using S2ILGPU.Storage;

namespace S2ILGPU.Models;

/// <summary>Writes weights anew, in one file or in several with an index, as they are or in another element type. A
/// piece at a time is in memory.</summary>
/// <param name="files">The weights.</param>
/// <param name="type">Element type of every tensor: a float type; null for its own.</param>
/// <param name="progress">Told the fraction that is written, 0 to 1; null for none.</param>
/// <param name="cancellation">Ends the writing between two pieces.</param>
internal sealed class WeightCopy(WeightFiles files, SafetensorsType? type, IProgress<double>? progress,
    CancellationToken cancellation)
{
    private long _elements, _done;

    /// <summary>Writes the tensors that a model reads.</summary>
    /// <param name="config">The model.</param>
    /// <param name="folder">Where to; must be there.</param>
    /// <param name="shardBytes">Tensors of a file have together at most as many bytes, or it holds a single one; one
    /// file where that is enough for all.</param>
    /// <exception cref="InvalidDataException">A tensor is missing, holds NaN or infinity, or a number that the element
    /// type cannot hold.</exception>
    /// <exception cref="OperationCanceledException">The writing was cancelled.</exception>
    public void Write(TransformerConfig config, string folder, long shardBytes)
    {
        string[] names = [.. ModelParameters.Of(config).Stored.Select(tensor => tensor.Name)];
        _elements = names.Sum(name => files.Of(name).Info(name).Count);
        var shards = Shards(names.Select(Tensor), shardBytes);
        for (int i = 0; i < shards.Count; i++)
            SafetensorsFile.Write(Path.Combine(folder, FileName(i, shards.Count)), shards[i], WeightFiles.Metadata);
        if (shards.Count > 1)
            WriteIndex(Path.Combine(folder, WeightFiles.IndexFile), shards);
    }

    private static List<List<SafetensorsTensor>> Shards(IEnumerable<SafetensorsTensor> tensors, long shardBytes)
    {
        var shards = new List<List<SafetensorsTensor>> { new() };
        long filled = 0;
        foreach (var tensor in tensors)
        {
            if (filled > 0 && tensor.SizeBytes > shardBytes - filled)
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add(tensor);
            filled += tensor.SizeBytes;
        }
        return shards;
    }

    private static string FileName(int shard, int shards) => shards == 1 ? WeightFiles.SingleFile
        : string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:00000}-of-{shards:00000}.safetensors");

    private static void WriteIndex(string path, List<List<SafetensorsTensor>> shards)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("metadata");
            writer.WriteNumber("total_size", shards.Sum(shard => shard.Sum(tensor => tensor.SizeBytes)));
            writer.WriteEndObject();
            writer.WriteStartObject(WeightFiles.MapKey);
            for (int i = 0; i < shards.Count; i++)
                foreach (var tensor in shards[i])
                    writer.WriteString(tensor.Name, FileName(i, shards.Count));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        AtomicFile.Write(path, stream => stream.Write(buffer.WrittenSpan));
    }

    private SafetensorsTensor Tensor(string name)
    {
        var file = files.Of(name);
        var entry = file.Info(name);
        return new SafetensorsTensor(name, type ?? entry.Type, entry.Shape, stream => Copy(file, entry, stream));
    }

    private void Copy(SafetensorsFile file, SafetensorsEntry entry, Stream stream)
    {
        var written = type ?? entry.Type;
        int size = written.SizeBytes();
        float[] values = ArrayPool<float>.Shared.Rent(ModelWeights.ChunkValues);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(ModelWeights.ChunkValues * size);
        for (long start = 0; start < entry.Count; start += ModelWeights.ChunkValues)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(ModelWeights.ChunkValues, entry.Count - start);
            var floats = values.AsSpan(0, count);
            var piece = bytes.AsSpan(0, count * size);
            ModelWeights.ReadFinite(file, entry.Name, start, floats);
            if (written == entry.Type)
                file.ReadBytes(entry.Name, start * size, piece);
            else
                Convert(file, entry, start, floats, piece);
            stream.Write(piece);
            progress?.Report((double)(_done += count) / _elements);
        }
        ArrayPool<float>.Shared.Return(values);
        ArrayPool<byte>.Shared.Return(bytes);
    }

    // A number beyond the range of the type would become infinity.
    private void Convert(SafetensorsFile file, SafetensorsEntry entry, long start, Span<float> values, Span<byte> bytes)
    {
        float largest = type switch
        {
            SafetensorsType.Float16 => 65519.996f,
            SafetensorsType.BFloat16 => 3.3961774e38f,
            _ => float.MaxValue,
        };
        for (int i = 0; i < values.Length; i++)
            if (!(Math.Abs(values[i]) <= largest))
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"{file.FilePath}: element {start + i} of tensor {entry} is {values[i]}, too large for ")
                    + type!.Value.FileName());
        FloatConversion.FromSingle(type!.Value, values, bytes);
    }
}
