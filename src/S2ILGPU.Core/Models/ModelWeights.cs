using System.Buffers;
using System.Globalization;
using S2ILGPU.Engines;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The weights of a folder and a model: what must be there, what may be there, and reading
/// it.</summary>
internal static class ModelWeights
{
    /// <summary>Elements that are read at a time.</summary>
    public const int ChunkValues = 1 << 20;

    private const string Embedding = ModelParameters.EmbeddingName, Head = ModelParameters.HeadName;

    // Tables that older tools stored beside the weights; they follow from the configuration.
    private static readonly string[] s_knownBuffers = [".rotary_emb.inv_freq", ".rotary_emb.cos_cached",
        ".rotary_emb.sin_cached"];

    /// <summary>Checks that files hold the weights of a configuration and none that the model would not
    /// read.</summary>
    /// <remarks>An unread tensor is refused where its name uses a part of this model's names (a bias, a norm
    /// of queries, a layer too many, an adapter): another tool would compute with it. Names from elsewhere
    /// (<c>spare.scale</c>) belong to something else and are left alone, whatever their element type.</remarks>
    /// <exception cref="InvalidDataException">A weight is missing, has another shape, or is not read.</exception>
    public static void Check(WeightFiles files, TransformerConfig config)
    {
        var names = new HashSet<string>();
        var parts = new HashSet<string>();
        foreach (var (name, shape) in ModelParameters.Of(config).Stored)
        {
            CheckShape(files.Of(name), name, shape);
            names.Add(name);
            parts.UnionWith(name.Split('.').Where(part => part != "weight" && !char.IsAsciiDigit(part[0])));
        }
        parts.Add("lm_head");
        foreach (var entry in files.Entries)
        {
            if (names.Contains(entry.Name) || IsKnownBuffer(entry.Name)
                || !entry.Name.Split('.').Any(parts.Contains))
                continue;
            if (entry.Name == Head)
                CheckTied(files);
            else
                throw new InvalidDataException(
                    $"{files.Of(entry.Name).FilePath}: the model does not read tensor {entry}, with which other tools "
                    + "would compute");
        }
    }

    /// <summary>The element type in which a model keeps a matrix of files where nothing else was asked for: bfloat16 or
    /// half precision where all tensors that make it up have it, otherwise the engine's.</summary>
    public static ElementType MatrixType(WeightFiles files, ParameterSpec matrix, IEngine engine)
    {
        var types = matrix.Parts.Select(part => files.Of(part.Name).Info(part.Name).Type).Distinct().ToArray();
        return (engine.FloatType, types) switch
        {
            (ElementType.Float32, [SafetensorsType.BFloat16]) => ElementType.BFloat16,
            (ElementType.Float32, [SafetensorsType.Float16]) => ElementType.Float16,
            _ => engine.FloatType,
        };
    }

    /// <summary>Checks the shape of one tensor.</summary>
    /// <exception cref="InvalidDataException">It is missing or has another shape.</exception>
    public static void CheckShape(SafetensorsFile file, string name, Shape shape)
    {
        var entry = file.Info(name);
        bool same = entry.Shape.Length == shape.Rank;
        for (int d = 0; same && d < shape.Rank; d++)
            same = entry.Shape[d] == shape[d];
        if (!same)
            throw new InvalidDataException($"{file.FilePath} belongs to another model: {entry}, expected {shape}");
    }

    /// <summary>Reads a tensor into a model, a few megabytes at a time.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The tensor's name.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="destination">Receives it; of its shape.</param>
    /// <param name="order">How the rows of the file are ordered; null for as in the destination. Such a tensor is read
    /// whole.</param>
    /// <exception cref="InvalidDataException">It is missing, or holds NaN or infinity: every number that is computed
    /// with it would be damaged, mostly without looking so.</exception>
    public static void Load(SafetensorsFile file, string name, IEngine engine, Tensor destination,
        RowOrder? order = null)
    {
        int rows = destination.Shape[0], width = (int)(destination.Count / Math.Max(1, rows));
        int most = order is null ? Math.Clamp(ChunkValues / Math.Max(1, width), 1, Math.Max(1, rows)) : rows;
        float[] values = ArrayPool<float>.Shared.Rent(most * width),
            ordered = order is null ? values : ArrayPool<float>.Shared.Rent(most * width);
        for (int row = 0; row < rows; row += most)
        {
            int count = Math.Min(most, rows - row);
            var chunk = values.AsSpan(0, count * width);
            ReadFinite(file, name, (long)row * width, chunk);
            order?.FromFile(chunk, ordered);
            using var part = destination.Slice(0, row, count);
            engine.Upload(ordered.AsSpan(0, chunk.Length), part);
        }
        ArrayPool<float>.Shared.Return(values);
        if (order is not null)
            ArrayPool<float>.Shared.Return(ordered);
    }

    /// <summary>Checks that a tensor holds neither NaN nor infinity.</summary>
    /// <exception cref="InvalidDataException">It does, or it is missing.</exception>
    public static void CheckFinite(SafetensorsFile file, string name)
    {
        long count = file.Info(name).Count;
        var values = new float[Math.Min(ChunkValues, count)];
        for (long start = 0; start < count; start += values.Length)
            ReadFinite(file, name, start, values.AsSpan(0, (int)Math.Min(values.Length, count - start)));
    }

    /// <summary>Reads elements of a tensor, none of them NaN or infinite.</summary>
    /// <exception cref="InvalidDataException">One is, or the tensor is missing.</exception>
    public static void ReadFinite(SafetensorsFile file, string name, long start, Span<float> values)
    {
        file.ReadRange(name, start, values);
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"{file.FilePath}: the weights are damaged: element {start + i} of tensor {file.Info(name)} is ")
                    + values[i].ToString(CultureInfo.InvariantCulture));
    }

    private static bool IsKnownBuffer(string name) =>
        s_knownBuffers.Any(ending => name.EndsWith(ending, StringComparison.Ordinal));

    // Tools that tie the head to the embedding overwrite a stored head; one that says something else was meant to be
    // used.
    private static void CheckTied(WeightFiles files)
    {
        var (headFile, embeddingFile) = (files.Of(Head), files.Of(Embedding));
        var (head, embedding) = (headFile.Info(Head), embeddingFile.Info(Embedding));
        bool same = head.TypeName == embedding.TypeName && head.Shape.SequenceEqual(embedding.Shape);
        Span<byte> left = new byte[1 << 16], right = new byte[1 << 16];
        for (long start = 0; same && start < head.SizeBytes; start += left.Length)
        {
            int count = (int)Math.Min(left.Length, head.SizeBytes - start);
            headFile.ReadBytes(Head, start, left[..count]);
            embeddingFile.ReadBytes(Embedding, start, right[..count]);
            same = left[..count].SequenceEqual(right[..count]);
        }
        if (!same)
            throw new InvalidDataException(
                $"{headFile.FilePath}: {Head} differs from {Embedding}, but tie_word_embeddings is true");
    }
}
