using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Storage;
using S2ILGPU.Tensors;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>The files of a model on disk, in Hugging Face shapes, and how to write and read them.</summary>
public static class ModelFolder
{
    /// <summary>Names of the files.</summary>
    public const string Config = "config.json", Weights = "model.safetensors", Tokenizer = "tokenizer.json",
        GenerationConfig = "generation_config.json", Log = "training.jsonl", State = "training-state.safetensors",
        LossCurve = "loss.svg";

    private const string ShardIndex = "model.safetensors.index.json", EndTokenKey = "eos_token_id";

    /// <summary>Writes configuration, weights and tokenizer, each file replaced whole.</summary>
    /// <param name="folder">The folder; created when it is not there.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="IOException">A file cannot be written; an earlier one of that name is intact.</exception>
    public static void Save(string folder, TransformerModel model, BytePairTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        FileErrors.CheckPath(folder);
        FileErrors.Explained(folder, "created", () => Directory.CreateDirectory(folder));
        AtomicFile.WriteText(Path.Combine(folder, Config), TransformerConfigFile.Format(model.Config));
        tokenizer.Save(Path.Combine(folder, Tokenizer));
        SafetensorsFile.Write(Path.Combine(folder, Weights),
            model.StoredTensors.Select(s => Stored(model.Engine, s.Name, s.Tensor)),
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Reads a model with its tokenizer and checks that they belong together.</summary>
    /// <param name="folder">A folder with configuration, weights and tokenizer.</param>
    /// <param name="engine">The engine that will hold the model.</param>
    /// <param name="matrixType">As for <see cref="LoadModel"/>.</param>
    /// <param name="activationType">As for <see cref="LoadModel"/>.</param>
    /// <param name="progress">As for <see cref="LoadModel"/>.</param>
    /// <param name="cancellation">As for <see cref="LoadModel"/>.</param>
    /// <returns>Both; the caller disposes them.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, the weights do not fit the configuration, or the
    /// tokenizer has more tokens than the model.</exception>
    public static PretrainedModel Load(string folder, IEngine engine, ElementType? matrixType = null,
        ElementType? activationType = null, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        var tokenizer = LoadTokenizer(folder);
        var config = TransformerConfigFile.Read(PathOf(folder, Config));
        if (tokenizer.VocabularySize > config.VocabularySize)
            throw new InvalidDataException(
                $"{folder}: {Tokenizer} has {tokenizer.VocabularySize} tokens, more than the "
                + $"{config.VocabularySize} of the model: they do not belong together");
        var endTokens = ReadEndTokens(folder, tokenizer);
        var model = LoadModel(folder, engine, matrixType, activationType, progress, cancellation);
        return new PretrainedModel(model, tokenizer, endTokens);
    }

    /// <summary>Reads a model.</summary>
    /// <param name="folder">A folder with configuration and weights.</param>
    /// <param name="engine">The engine that will hold it.</param>
    /// <param name="matrixType">How the model stores its matrices, whatever the file does; null for the engine's float
    /// type.</param>
    /// <param name="activationType">Element type of the model's activations; null for the engine's float type.</param>
    /// <param name="progress">Told the fraction of the weights that is read, 0 to 1, after each tensor.</param>
    /// <param name="cancellation">Ends the reading between two tensors.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, a weight is not finite, or the weights do not fit the
    /// configuration: one is missing, has another shape, or would not be read.</exception>
    /// <exception cref="OperationCanceledException">The reading was cancelled.</exception>
    public static TransformerModel LoadModel(string folder, IEngine engine, ElementType? matrixType = null,
        ElementType? activationType = null, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var config = TransformerConfigFile.Read(PathOf(folder, Config));
        using var file = OpenWeights(folder);
        ModelWeights.Check(file, config);
        var model = new TransformerModel(engine, config, seed: null, matrixType, activationType);
        try
        {
            long read = 0;
            foreach (var (name, tensor) in model.StoredTensors)
            {
                cancellation.ThrowIfCancellationRequested();
                ModelWeights.Load(file, name, engine, tensor);
                progress?.Report((double)(read += tensor.Count) / config.ParameterCount);
            }
            model.RefreshShadows();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads the tokenizer of a model.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static BytePairTokenizer LoadTokenizer(string folder) => BytePairTokenizer.Load(PathOf(folder, Tokenizer));

    /// <summary>The path of a file of a model.</summary>
    /// <param name="folder">The model's folder; must be there.</param>
    /// <param name="file">The file, as in <see cref="Weights"/>.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static string PathOf(string folder, string file) => Directory.Exists(folder)
        ? Path.Combine(folder, file)
        : throw new DirectoryNotFoundException($"the model folder {folder} does not exist");

    internal static SafetensorsTensor Stored(IEngine engine, string name, Tensor tensor)
    {
        long[] shape = new long[tensor.Shape.Rank];
        for (int d = 0; d < shape.Length; d++)
            shape[d] = tensor.Shape[d];
        // Downloaded when its turn comes, so that one tensor at a time is on the host.
        return new SafetensorsTensor(name, SafetensorsType.Float32, shape, stream =>
        {
            float[] values = new float[tensor.Count];
            engine.Download(tensor, values);
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        });
    }

    private static SafetensorsFile OpenWeights(string folder)
    {
        string path = PathOf(folder, Weights);
        if (!File.Exists(path) && File.Exists(Path.Combine(folder, ShardIndex)))
            throw new FileNotFoundException($"{path} does not exist; weights in several files ({ShardIndex}) are not "
                + "read, join them into one first", path);
        return SafetensorsFile.Open(path);
    }

    // Ids beyond the vocabulary, and the -1 that stands for none, are never drawn and so need no refusal.
    private static int[] ReadEndTokens(string folder, BytePairTokenizer tokenizer)
    {
        var ids = new SortedSet<int>();
        if (tokenizer.EndOfText is { } endOfText)
            ids.Add(endOfText);
        foreach (string name in (ReadOnlySpan<string>)[Config, GenerationConfig])
            if (FileKinds.Of(PathOf(folder, name)) is not FileKind.Missing)
                ids.UnionWith(JsonValue.Read<int[]>(PathOf(folder, name), "a configuration",
                    TransformerConfigFile.MaxBytes, root => root.Find(EndTokenKey) switch
                    {
                        null => [],
                        { IsArray: true } list => [.. list.Items().Select(id => id.Integer())],
                        { } one => [one.Integer()],
                    }));
        return [.. ids.Where(id => id >= 0 && id < tokenizer.VocabularySize)];
    }
}
